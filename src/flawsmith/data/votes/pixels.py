"""From several masks to one: the pixels that more than half have marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.records import Mask


@dataclass(frozen=True)
class Consensus:
    """Masks of one image put together, HW bool each.

    `marked` are the pixels that more than half of the masks have, `tied` those that exactly half have: nobody decided
    on them. `ious` are the overlaps of every two masks in [0, 1], in the order of `itertools.combinations`.
    """

    marked: Mask
    tied: Mask
    ious: tuple[float, ...]


def consensus(masks: Sequence[Mask]) -> Consensus:
    """Vote on every pixel. Raises DataError for fewer than two masks, or masks of different sizes."""
    sizes = {mask.shape for mask in masks}
    if len(masks) < 2 or len(sizes) != 1:
        raise DataError(f"a vote on pixels needs at least two masks of one size, got {len(masks)} of {sorted(sizes)}")
    times = sum(mask.astype(np.uint16) for mask in masks) * np.uint16(2)
    ious = tuple(mask_iou(one, other) for one, other in combinations(masks, 2))
    return Consensus(np.asarray(times > len(masks)), np.asarray(times == len(masks)), ious)


def mask_iou(one: Mask, other: Mask) -> float:
    """Return the intersection over union of two masks, HW bool; 1 for two empty ones.

    >>> mask_iou(np.array([[True, True]]), np.array([[True, False]]))
    0.5
    """
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0
