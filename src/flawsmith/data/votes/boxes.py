"""Whether two inspectors drew the same boxes: in number, name, size and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from flawsmith.core.records import Box
from flawsmith.data.votes.tables import NamedBox

Dispute = Literal["count", "name", "size", "place"]


@dataclass(frozen=True)
class BoxMatch:
    """Two inspectors' boxes of one image: what they disagree on, and the overlap (IoU) of each matched pair."""

    disputes: tuple[Dispute, ...]
    ious: tuple[float, ...]


def box_iou(ones: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """Return the intersection over union of every two boxes (xyxy, half open), (ones, others), in [0, 1].

    >>> box_iou([(0, 0, 2, 2)], [(1, 0, 3, 2), (0, 0, 2, 2)]).round(2).tolist()
    [[0.33, 1.0]]
    """
    first, second = (np.asarray(each, np.float64).reshape(-1, 4) for each in (ones, others))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clip(0).prod(2)
    return np.asarray(common / (_areas(first)[:, None] + _areas(second)[None] - common))


def match_boxes(
    ones: Sequence[NamedBox], others: Sequence[NamedBox], least_iou: float, most_size_ratio: float
) -> BoxMatch:
    """Match boxes one to one, with the largest sum of overlaps of at least `least_iou`, whatever their names.

    They disagree on "count" where there are more of one than of the other, on "place" where boxes are left on both
    sides, on "name" where matched ones have different labels, on "size" where the larger has more than
    `most_size_ratio` times the area of the smaller.
    """
    iou = box_iou([each.box_xyxy for each in ones], [each.box_xyxy for each in others])
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(np.where(iou < least_iou, 0, -iou)), strict=True)]
    pairs = [(i, j) for i, j in pairs if iou[i, j] >= max(least_iou, 1e-12)]
    told: dict[Dispute, bool] = {
        "count": len(ones) != len(others),
        "name": any(ones[i].label != others[j].label for i, j in pairs),
        "size": any(_ratio(ones[i].box_xyxy, others[j].box_xyxy) > most_size_ratio for i, j in pairs),
        "place": len(pairs) < min(len(ones), len(others)),
    }
    return BoxMatch(tuple(kind for kind, is_so in told.items() if is_so), tuple(float(iou[i, j]) for i, j in pairs))


def _ratio(one: Box, other: Box) -> float:
    small, large = sorted(_areas(np.array([one, other])))
    return float(large / small)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(1))
