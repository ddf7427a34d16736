"""Ranking metrics from counts of scores: exact for the counts given, vectorised over leading axes.

`positive` and `negative` are counts (..., bins) of defective and defect-free items per score bin, bins in ascending
order of score; items in one bin count as ties. Where a metric is undefined (no positives, or no negatives where they
matter) it is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
Values = NDArray[np.float64]


def auroc(positive: Counts, negative: Counts) -> Values:
    """Return the chance that a random positive outranks a random negative, ties one half (Hanley & McNeil 1982)."""
    positive, negative = positive.astype(np.float64), negative.astype(np.float64)
    below = negative.cumsum(-1) - negative / 2
    return _ratio((positive * below).sum(-1), positive.sum(-1) * negative.sum(-1))


def average_precision(positive: Counts, negative: Counts) -> Values:
    """Return the sum of precision over steps of recall, without interpolation (scikit-learn's definition)."""
    hits, alarms = descending(positive), descending(negative)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
    return _ratio((precision * positive[..., ::-1]).sum(-1), hits[..., -1])


def f1_max(positive: Counts, negative: Counts) -> Values:
    """Return the largest F1 score over all thresholds."""
    hits, alarms = descending(positive), descending(negative)
    total = hits[..., -1:]
    f1 = np.divide(2 * hits, hits + alarms + total, out=np.zeros_like(hits), where=hits > 0)
    return np.where(total[..., 0] > 0, f1.max(-1), np.nan)


def recall_at_fpr(positive: Counts, negative: Counts, fpr: float) -> Values:
    """Return the largest recall whose share of false alarms among the negatives is at most `fpr`."""
    hits, alarms = descending(positive), descending(negative)
    allowed = alarms <= fpr * alarms[..., -1:]
    recall = _ratio(np.where(allowed, hits, 0.0).max(-1), hits[..., -1])
    return np.where(alarms[..., -1] > 0, recall, np.nan)


def pro(overlap: Counts, negative: Counts, regions: Counts | float, limit: float = 0.3) -> Values:
    """Return the area under the per-region overlap against the false positive rate up to `limit`, divided by it.

    `overlap` holds, per score bin, the sum over regions of the share of the region's pixels in that bin, and `regions`
    (...) how many there are (Bergmann et al. 2021, section 4.2).
    """
    found, alarms = descending(overlap), descending(negative)
    y = _from_zero(_ratio(found, np.broadcast_to(np.asarray(regions, np.float64)[..., None], found.shape)))
    x = _from_zero(_ratio(alarms, np.broadcast_to(alarms[..., -1:], alarms.shape)))
    wide, low = np.diff(x), x[..., :-1]
    inside = np.clip(np.divide(limit - low, wide, out=(low < limit).astype(np.float64), where=wide > 0), 0, 1)
    rise = np.diff(y) * inside
    return np.asarray((wide * inside * (y[..., :-1] + rise / 2)).sum(-1) / limit)


def _from_zero(values: Values) -> Values:
    return np.concatenate([np.zeros_like(values[..., :1]), values], -1)


def descending(counts: Counts) -> Values:
    """Return how many items score at least each bin, from the highest bin to the lowest, as float64."""
    return counts[..., ::-1].astype(np.float64).cumsum(-1)


def _ratio(above: Values, below: Values) -> Values:
    result: Values = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)
    return result
