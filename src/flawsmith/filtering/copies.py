"""How much a painted defect resembles a training defect, in any of 8 orientations and small shifts.

Measured by zero-mean normalised cross-correlation (Lewis 1995, "Fast normalized cross-correlation", eq. 2) over the
training defect's mask: brightness and contrast do not count, only the structure inside the defect does.
What the bare background shares with a training image there, the part's own outline above all, is no copying: likeness
is corrected for it as agreement is for chance (Cohen 1960, "A coefficient of agreement for nominal scales", eq. 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.records import Image, Mask

SIDE = 48
"""Side in pixels of the square in which defects are compared; larger ones are reduced by a whole factor."""
INNER = 44
SHIFT_PX = 3
LEAST_PIXELS = 9
"""A defect of fewer pixels has no structure that could be recognised."""

Square = NDArray[np.float32]


@dataclass(frozen=True)
class Templates:
    """Training defects of one class: pixels and masks (K, 48, 48), each reduced by its factor (K,).

    Pixels are the grey deviation from the mean inside the mask, with Euclidean norm 1; zero outside.
    """

    pixels: Square
    masks: Square
    factors: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.factors)


def make_templates(defects: Sequence[tuple[Image, Mask]]) -> Templates:
    """Return templates of defects given as (image HWC, mask HW); one without structure can match nothing."""
    squares, masks, factors = [], [], []
    for image, mask in defects:
        factor = factor_of(mask)
        cover = _square(mask.astype(np.float64), mask, factor, SIDE) > 0.5
        values = _square(_grey(image), mask, factor, SIDE)
        squares.append(_normalised(values, cover))
        masks.append(cover.astype(np.float32))
        factors.append(factor)
    empty = np.zeros((0, SIDE, SIDE), np.float32)
    return Templates(np.array(squares or empty), np.array(masks or empty), np.array(factors, np.int64))


def factor_of(mask: Mask) -> int:
    """Return by how much a defect's surroundings are reduced for its longer side to fit."""
    top, left, bottom, right = _extent(mask)
    return max(1, -(-max(bottom - top, right - left) // INNER))


def similarities(image: Image, mask: Mask, templates: Templates) -> NDArray[np.float64]:
    """Return the likeness (K,) in [0, 1] of the defect at `mask` in `image` (HWC) to each template; 1 is a copy."""
    found = np.zeros(len(templates))
    if not mask.any():
        return found
    for factor in np.unique(templates.factors):
        chosen = templates.factors == factor
        square = _square(_grey(image), mask, int(factor), SIDE + 2 * SHIFT_PX)
        found[chosen] = _best(_views(square), templates.pixels[chosen], templates.masks[chosen])
    return found


def likeness(image: Image, bare: Image, mask: Mask, templates: Templates) -> NDArray[np.float64]:
    """Return how far (K,) the defect goes from its bare background towards being a copy of each template: 0 to 1.

    `bare` (HWC) is the same piece without the defect.
    """
    return _beyond(similarities(bare, mask, templates), similarities(image, mask, templates))


def likeness_as_laid(image: Image, bare: Image, mask: Mask, shown: Image) -> float:
    """Return the likeness, as above, to a training defect laid on the same crop (`shown`, HWC): no search is needed."""
    if not mask.any():
        return 0.0
    factor = factor_of(mask)
    cover = _square(mask.astype(np.float64), mask, factor, SIDE) > 0.5
    wanted, found, plain = (
        _normalised(_square(_grey(each), mask, factor, SIDE), cover) for each in (shown, image, bare)
    )
    return float(_beyond(_agreement(plain, wanted), _agreement(found, wanted)))


def _agreement(one: Square, other: Square) -> NDArray[np.float64]:
    return np.clip(np.asarray((one * other).sum(), np.float64), 0, 1)


def _beyond(without: NDArray[np.float64], having: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what likeness a defect adds to that of its bare background, as a share of what it could add."""
    return np.clip((having - without) / np.maximum(1 - without, 1e-6), 0, 1)


def _best(views: Square, pixels: Square, masks: Square) -> NDArray[np.float64]:
    """Return the largest correlation of any view (V, 48 * 48) with each template (K, 48, 48) in any orientation."""
    flat, cover = _turned(pixels), _turned(masks)
    count = np.maximum(cover.sum(0), 1)
    sums, squares = views @ cover, (views * views) @ cover
    spread = squares - sums * sums / count
    least = 1e-5 * max(float((views * views).mean()), 1e-12)
    best = np.clip((views @ flat) / np.sqrt(np.maximum(spread, least)), 0, 1).max(0)
    return np.asarray(best.reshape(8, len(pixels)).max(0), np.float64)


def _views(square: Square) -> Square:
    """Return every shift of a square (48 + 2 * 3 pixels wide) as rows (49, 48 * 48)."""
    square = square - square.mean()
    spots = range(2 * SHIFT_PX + 1)
    return np.array(
        [square[top : top + SIDE, left : left + SIDE].ravel() for top in spots for left in spots], np.float32
    )


def _turned(squares: Square) -> Square:
    """Return every orientation of squares (K, 48, 48) as columns (48 * 48, 8 * K).

    The shifts are the same all ways, so turning the few templates does for turning each view.
    """
    turned = [np.rot90(flip, quarter, (1, 2)) for flip in (squares, squares[:, :, ::-1]) for quarter in range(4)]
    return np.concatenate(turned).reshape(8 * len(squares), -1).T


def _normalised(values: Square, cover: Mask) -> Square:
    if cover.sum() < LEAST_PIXELS:
        return np.zeros_like(values)
    deviation = np.where(cover, values - values[cover].mean(), 0)
    norm = float(np.linalg.norm(deviation))
    return np.asarray(deviation / norm if norm > 1e-6 else np.zeros_like(values), np.float32)


def _grey(image: Image) -> NDArray[np.float64]:
    return np.asarray(image.astype(np.float64).mean(2) / np.iinfo(image.dtype).max)


def _square(plane: NDArray[np.float64], mask: Mask, factor: int, side: int) -> Square:
    """Return a plane (HW) around the middle of a mask, reduced by averaging `factor` x `factor` pixels."""
    top, left, bottom, right = _extent(mask)
    wanted = side * factor
    first = [(top + bottom - wanted) // 2, (left + right - wanted) // 2]
    rows = np.clip(np.arange(first[0], first[0] + wanted), 0, plane.shape[0] - 1)
    columns = np.clip(np.arange(first[1], first[1] + wanted), 0, plane.shape[1] - 1)
    cut = plane[np.ix_(rows, columns)]
    if factor > 1:
        cut = ndimage.gaussian_filter(cut, factor / 2)
    return np.asarray(cut.reshape(side, factor, side, factor).mean((1, 3)), np.float32)


def _extent(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
