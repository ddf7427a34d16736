"""A mask for a picture that comes without one: where it differs from the nearest defect-free picture.

It is a proposal: light, pose and grain differ as well. How much must differ is measured, on real defects where these
have masks, and otherwise on defect-free pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.errors import DataError
from flawsmith.core.records import Mask

SMOOTHING_PX = 1.0
STRONGEST_SHARE = 0.3
"""Nothing that differs by less than this share of the strongest difference is proposed: a strong defect's soft rim."""
SPECK_SHARE = 0.1
"""Parts smaller than this share of the largest part are not proposed."""
LEVELS = 32
"""Levels tried on real defects."""
UNUSUAL = 0.995
"""Without masks to measure on, this share of the pixels of defect-free pictures lies below the level."""

Picture = NDArray[np.float32]
"""HWC in [0, 1]."""


class Level(NamedTuple):
    """The difference from which on a pixel is proposed, and the mean overlap (IoU) of such proposals with the masks of
    real defects; None where there are no masks.
    """

    value: float
    agreement: float | None


def nearest(picture: Picture, others: Sequence[Picture] | Picture) -> int:
    """Return the number of the picture that differs least, by the mean absolute difference but for exposure."""
    return int(np.argmin([float(np.abs(_signed(picture, other)).mean()) for other in others]))


def difference(picture: Picture, bare: Picture) -> NDArray[np.float32]:
    """Return how far two pictures differ (HW), the mean over channels, but for exposure.

    Grain has either sign: it is smoothed away before the sign is dropped.
    """
    smooth = ndimage.gaussian_filter(_signed(picture, bare), (SMOOTHING_PX, SMOOTHING_PX, 0))
    return np.asarray(np.abs(smooth).mean(2), np.float32)


def _signed(picture: Picture, bare: Picture) -> Picture:
    change = picture - bare
    return np.asarray(change - np.median(change, (0, 1)), np.float32)


def above(difference_HW: NDArray[np.float32], level: float) -> Mask:
    """Return what differs by more than `level` (HW bool), holes filled and specks dropped; it may be empty."""
    least = max(level, STRONGEST_SHARE * float(difference_HW.max()))
    found = np.asarray(ndimage.binary_fill_holes(difference_HW > least))
    parts, count = ndimage.label(found, np.ones((3, 3)))
    if not count:
        return found
    sizes = np.bincount(parts.ravel())[1:]
    kept = 1 + np.flatnonzero(sizes >= SPECK_SHARE * sizes.max())
    return np.asarray(np.isin(parts, kept))


def fit_level(defects: Sequence[tuple[NDArray[np.float32], Mask]], goods: Sequence[NDArray[np.float32]]) -> Level:
    """Return the level whose proposals overlap best with real masks, or else one that good pictures hardly reach.

    `defects` are differences of real defect pictures from the nearest good one, with their masks; `goods` those of
    good pictures from the nearest other one. Raises DataError where both are missing.
    """
    if defects:
        values = np.unique(np.quantile([each for each, _ in defects], np.linspace(0.5, 0.999, LEVELS)))
        overlaps = [float(np.mean([_overlap(above(each, value), mask) for each, mask in defects])) for value in values]
        best = int(np.argmax(overlaps))
        return Level(float(values[best]), overlaps[best])
    if not goods:
        raise DataError(
            "masks are proposed by what differs from defect-free pictures: expected at least two of these in the "
            "training part, or one and masks of some defects; add good images"
        )
    return Level(float(np.quantile(goods, UNUSUAL)), None)


def _overlap(one: Mask, other: Mask) -> float:
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 0.0
