"""How well an inspector finds defects: metrics of images, and of pixels streamed image by image.

Pixel scores are counted in 65,536 bins spaced evenly in their logit, so memory stays the same however many images
come by and both ends of [0, 1] keep their resolution. Scores closer than 6e-4 in logit count as ties: against an exact
sort AUROC, AP, F1 and PRO move by less than 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.special import logit

from flawsmith.core.errors import DataError
from flawsmith.core.records import Mask
from flawsmith.metrics import curves

BINS = 65536
LOGIT_LIMIT = 18.0
"""Beyond the largest logit that a float32 score below 1 can have."""


def image_counts(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (positive, negative) counts of images over their distinct scores, in ascending order: no rounding."""
    labels, scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise DataError(f"expected as many labels as scores, got {labels.shape} labels and {scores.shape} scores")
    if not np.isfinite(scores).all():
        raise DataError("image scores hold NaN or infinity: the inspector that made them is broken")
    distinct, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place[labels], minlength=len(distinct))
    return positive, np.bincount(place[~labels], minlength=len(distinct))


def image_auroc(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the area under the ROC curve; `labels` (N,) are True for defective images. NaN without both kinds.

    >>> image_auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    return float(curves.auroc(*image_counts(labels, scores)))


def average_precision(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the average precision; NaN without a defective image."""
    return float(curves.average_precision(*image_counts(labels, scores)))


def f1_max(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the F1 score at its best threshold; NaN without a defective image."""
    return float(curves.f1_max(*image_counts(labels, scores)))


def recall_at_fpr(labels: NDArray[Any], scores: NDArray[Any], fpr: float = 0.01) -> float:
    """Return the share of defective images found when at most `fpr` of the good ones are false alarms."""
    return float(curves.recall_at_fpr(*image_counts(labels, scores), fpr))


@dataclass(frozen=True)
class PixelCounts:
    """Everything the pixel metrics need to know of the pixels seen so far; add two to see both.

    Counts per score bin: defect pixels, other pixels, and the summed share of each defect region.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    overlap: NDArray[np.float64]
    regions: int

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            self.positive + other.positive,
            self.negative + other.negative,
            self.overlap + other.overlap,
            self.regions + other.regions,
        )

    @classmethod
    def empty(cls) -> PixelCounts:
        """Return the counts of no pixel at all."""
        return cls(np.zeros(BINS, np.int64), np.zeros(BINS, np.int64), np.zeros(BINS), 0)

    @property
    def auroc(self) -> float:
        """Area under the ROC curve of all pixels."""
        return float(curves.auroc(self.positive, self.negative))

    @property
    def average_precision(self) -> float:
        """Average precision of all pixels."""
        return float(curves.average_precision(self.positive, self.negative))

    @property
    def f1_max(self) -> float:
        """F1 score (equal to Dice) of all pixels at the best threshold."""
        return float(curves.f1_max(self.positive, self.negative))

    def pro(self, limit: float = 0.3) -> float:
        """Per-region overlap, integrated up to a false positive rate of `limit` (Bergmann et al. 2021)."""
        return float(curves.pro(self.overlap, self.negative, self.regions, limit))


def score_bins(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bin of each score in [0, 1]; higher scores never get a lower bin. Raises DataError outside [0, 1]."""
    scores = np.asarray(scores, np.float64)
    if not bool(((scores >= 0) & (scores <= 1)).all()):
        raise DataError("pixel scores lie in [0, 1]; got some outside or NaN: scale them, or look for a broken network")
    with np.errstate(divide="ignore"):
        place = np.clip(logit(scores), -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT
    bins: NDArray[np.int64] = np.minimum((place * (BINS / (2 * LOGIT_LIMIT))).astype(np.int64), BINS - 1)
    return bins


def count_pixels(mask: Mask, scores: NDArray[Any]) -> PixelCounts:
    """Count one image: `mask` HW bool, `scores` HW in [0, 1]. Regions are the 8-connected parts of the mask."""
    if mask.shape != scores.shape:
        raise DataError(f"mask and score map differ in size: {mask.shape} and {scores.shape}")
    places = score_bins(scores)
    positive = np.bincount(places[mask], minlength=BINS)
    negative = np.bincount(places[~mask], minlength=BINS)
    parts, regions = label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts[mask], minlength=1)
    overlap = np.bincount(places[mask], weights=1 / sizes[parts[mask]], minlength=BINS)
    return PixelCounts(positive, negative, overlap.astype(np.float64), int(regions))


def count_stream(pairs: Iterable[tuple[Mask, NDArray[Any]]]) -> PixelCounts:
    """Count many images, (mask, scores) by (mask, scores), in memory that does not grow."""
    total = PixelCounts.empty()
    for mask, scores in pairs:
        total += count_pixels(mask, scores)
    return total


def coarse(counts: NDArray[Any], bins: int) -> NDArray[Any]:
    """Merge neighbouring bins (..., B) into `bins`, a divisor of B: small enough to store per image."""
    merged: NDArray[Any] = counts.reshape(*counts.shape[:-1], bins, -1).sum(-1)
    return merged
