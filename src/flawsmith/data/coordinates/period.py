"""The lattice of a repetitive pattern, found in good images by their likeness to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.errors import DataError
from flawsmith.core.records import Image
from flawsmith.data.coordinates.autocorrelation import Likeness, autocorrelation
from flawsmith.data.coordinates.lattice import Lattice, Vector, fold
from flawsmith.data.coordinates.light import contrast

LEAST_PERIOD_PX = 4.0
LEAST_LIKENESS = 0.3
"""An image shifted by one period resembles itself at least so much; noise makes it less."""
AS_GOOD = 0.85
"""A shift is a period where the likeness reaches this share of the best: parts of a pattern look alike too."""
LEAST_DIP = 0.05
"""Between two periods the likeness falls by at least this share."""
MOST_SLOPE = 0.18
"""A vector belongs to an axis if it leaves it by at most this tangent, about ten degrees."""
LEAST_SECOND_DIRECTION = 0.02
"""Share of the weaker direction in a cell's gradients; below it there are only stripes."""
PARTS = ((1024, 16), (4096, 4))
"""Side in pixels of the middle parts that are looked at, and of how many images: the larger where the smaller fail."""
_SOFT_PX, _NEAR, _HARMONICS = 1.0, 2, 12


class _Peak(NamedTuple):
    shift: Vector
    likeness: float


def find_lattice(images: Sequence[Image]) -> Lattice:
    """Return the lattice of the pattern that good HWC images of one product share, to some tenths of a pixel.

    The images need the same camera and scale, not the same place. Each shows at least two periods along x and y, of 4
    pixels or more. Raises DataError, saying along which axis, where nothing repeats.
    """
    if not images:
        raise DataError("no images to find a pattern in: give at least one good image")
    size_hw = min(image.shape[0] for image in images), min(image.shape[1] for image in images)
    *smaller, largest = [part for part in PARTS if part == PARTS[0] or max(size_hw) > PARTS[0][0]]
    for side, count in smaller:
        with suppress(DataError):
            return _lattice([_middle(image, size_hw, side) for image in images[:count]])
    side, count = largest
    try:
        return _lattice([_middle(image, size_hw, side) for image in images[:count]])
    except DataError as error:
        size = f"{images[0].shape[1]} x {images[0].shape[0]}"
        raise DataError(f"{error}; looked at {len(images)} images, the first of {size} pixels") from None


def _middle(image: Image, size_hw: tuple[int, int], side: int) -> Image:
    rows, columns = min(size_hw[0], side), min(size_hw[1], side)
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    return image[top : top + rows, left : left + columns]


def _lattice(images: Sequence[Image]) -> Lattice:
    """Find the lattice twice: the light can be told from the pattern only once the period is known."""
    likeness = _likeness(images, (1.0, 1.0))
    coarse = _refined(_first_guess(likeness), likeness)
    fine = _refined(coarse, _likeness(images, coarse.period_xy))
    _refuse_stripes(fold(contrast(images[0], fine.period_xy), fine))
    return fine


def _likeness(images: Sequence[Image], period_xy: Vector) -> Likeness:
    soft = (_SOFT_PX, _SOFT_PX, 0)
    each = [autocorrelation(ndimage.gaussian_filter(contrast(image, period_xy), soft)) for image in images]
    return np.asarray(np.median(each, axis=0), np.float32)


def _first_guess(likeness: Likeness) -> Lattice:
    peaks = _peaks(likeness)
    best = max((peak.likeness for peak in peaks), default=0.0)
    strong = [peak.shift for peak in peaks if peak.likeness >= AS_GOOD * best]
    if best < LEAST_LIKENESS:
        raise DataError(
            f"no repetitive pattern: no shift brings back more than {best:.0%} of the image, expected at least "
            f"{LEAST_LIKENESS:.0%}; give good images that show two periods or more along x and along y"
        )
    along_x = _shortest([(x, y) for x, y in strong if x > 0 and abs(y) <= MOST_SLOPE * x], "x")
    along_y = _shortest([(x, y) for x, y in strong if y > 0 and abs(x) <= MOST_SLOPE * y], "y")
    return Lattice(along_x, along_y)


def _shortest(shifts: Sequence[Vector], axis: str) -> Vector:
    if not shifts:
        raise DataError(
            f"the pattern does not repeat along {axis}: give images that show two periods or more along it, "
            "turned so that the pattern lies along their edges"
        )
    return min(shifts, key=lambda shift: float(np.hypot(*shift)))


def _peaks(likeness: Likeness) -> list[_Peak]:
    """Return the shifts where the likeness has a summit of its own, parted from no shift by a valley."""
    middle = np.array(likeness.shape) // 2
    summits = (likeness == ndimage.maximum_filter(likeness, 2 * _NEAR + 1)) & (likeness >= LEAST_LIKENESS)
    summits[[0, -1]] = summits[:, [0, -1]] = False
    places = np.argwhere(summits)
    places = places[np.hypot(*(places - middle).T) >= LEAST_PERIOD_PX - 0.5]
    shifts, heights = _summits(likeness, places)
    found = [_Peak((float(x), float(y)), float(height)) for (x, y), height in zip(shifts, heights, strict=True)]
    return [peak for peak in found if _lowest_on_the_way(likeness, peak.shift) <= (1 - LEAST_DIP) * peak.likeness]


def _lowest_on_the_way(likeness: Likeness, shift: Vector) -> float:
    steps = np.linspace(0, 1, max(3, int(np.hypot(*shift))))
    middle = np.array(likeness.shape) // 2
    way = middle[:, None] + np.multiply.outer(shift[::-1], steps)
    return float(ndimage.map_coordinates(likeness, way, order=1, mode="nearest").min())


def _refined(lattice: Lattice, likeness: Likeness) -> Lattice:
    """Fit the two vectors to all summits that they predict, nearest first: the farther, the finer."""
    reach = np.array(likeness.shape)[::-1] // 2 - _NEAR - 1
    far = 2 * max(lattice.period_xy)
    while True:
        counts = _whole_numbers(lattice, np.minimum(reach, far))
        lattice = _fitted(lattice, counts, likeness)
        if far >= reach.max():
            return lattice
        far *= 2


def _whole_numbers(lattice: Lattice, reach_xy: NDArray[Any]) -> NDArray[np.int64]:
    """Return pairs of whole numbers of periods, at most some per axis, whose shift is within reach."""
    sides = []
    for vector in (lattice.along_x, lattice.along_y):
        most = int((reach_xy / np.maximum(np.abs(vector), 1e-9)).min())
        sides.append(np.unique(np.linspace(-most, most, 2 * min(most, _HARMONICS) + 1).round().astype(np.int64)))
    pairs = np.array([(right, down) for right in sides[0] for down in sides[1] if (right, down) != (0, 0)])
    return pairs[(np.abs(pairs @ lattice.matrix.T) <= reach_xy).all(1)]


def _fitted(lattice: Lattice, counts: NDArray[np.int64], likeness: Likeness) -> Lattice:
    middle = np.array(likeness.shape) // 2
    near = np.round(counts @ lattice.matrix.T).astype(int)[:, ::-1] + middle
    window = np.indices((2 * _NEAR + 1, 2 * _NEAR + 1)).reshape(2, -1).T - _NEAR
    around = near[:, None] + window
    highest = likeness[around[..., 0], around[..., 1]].argmax(1)
    shifts, heights = _summits(likeness, near + window[highest])
    counted = (heights >= LEAST_LIKENESS) & (np.abs(window[highest]) < _NEAR).all(1)
    if np.linalg.matrix_rank(counts[counted]) < 2:
        raise DataError(
            "no repetitive pattern: what looks like a period does not come back; give good images of one scale"
        )
    if counted.mean() < 0.5:
        raise DataError("no repetitive pattern: most of what should be periods are none; give good images of one scale")
    vectors = np.linalg.lstsq(counts[counted].astype(float), shifts[counted], rcond=None)[0]
    return Lattice(tuple(map(float, vectors[0])), tuple(map(float, vectors[1])))  # type: ignore[arg-type]


def _summits(likeness: Likeness, places: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shifts (x, y) of summits at whole (row, column) places to a part of a pixel, and their heights."""
    row, column = places.T
    here = likeness[row, column].astype(float)
    x = column + vertex(likeness[row, column - 1], here, likeness[row, column + 1])
    y = row + vertex(likeness[row - 1, column], here, likeness[row + 1, column])
    middle = np.array(likeness.shape) // 2
    return np.stack([x - middle[1], y - middle[0]], axis=-1), here


def vertex(before: NDArray[Any], here: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """Return where between -0.5 and 0.5 the parabola through three heights at -1, 0 and 1 is highest.

    >>> float(vertex(np.array(0.0), np.array(1.0), np.array(0.5)).round(3))
    0.167
    """
    bend = before - 2.0 * here + after
    return np.asarray(np.clip(np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1), 0), -0.5, 0.5))


def _refuse_stripes(cell: NDArray[np.float32]) -> None:
    """Raise DataError for a pattern that changes along one direction only: it has no period along the other."""
    down, right = (np.diff(cell, axis=axis, append=np.take(cell, [0], axis)) for axis in (0, 1))
    tensor = [[(right * right).sum(), (right * down).sum()], [(right * down).sum(), (down * down).sum()]]
    weak, strong = np.linalg.eigvalsh(np.array(tensor, float))
    if weak < LEAST_SECOND_DIRECTION * strong:
        raise DataError(
            "the pattern consists of stripes: it changes along one direction only and gives one coordinate, not two; "
            "coordinates need a pattern with a period along x and along y"
        )
