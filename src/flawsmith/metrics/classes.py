"""How well images are given their class: from confusion counts, vectorised over leading axes.

A confusion matrix (..., K, K) counts images by true class (rows) and class named (columns). What is undefined is NaN:
the recall of a class that no image has, the precision of one that was never named, the F1 score of one that is neither.
Averages over classes leave those out, as scikit-learn does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError
from flawsmith.metrics.curves import average_precision
from flawsmith.metrics.inspection import image_counts

Counts = NDArray[Any]
Values = NDArray[np.float64]


def confusion_matrix(truth: Sequence[str], named: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return how many images of each class (K rows) were given each class (K columns).

    Raises DataError where the two differ in length or hold something that is not in `classes`.

    >>> confusion_matrix(["good", "dent", "dent"], ["good", "dent", "good"], ["good", "dent"]).tolist()
    [[1, 0], [1, 1]]
    """
    if len(truth) != len(named):
        raise DataError(f"expected a class named for every image, got {len(truth)} images and {len(named)} names")
    place = {name: number for number, name in enumerate(classes)}
    unknown = sorted({*truth, *named} - place.keys())
    if unknown:
        raise DataError(f"classes {unknown} are not among {list(classes)}: give all of them")
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, ([place[each] for each in truth], [place[each] for each in named]), 1)
    return counts


def accuracy(confusion: Counts) -> Values:
    """Return the share of images that were given their class."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def precision(confusion: Counts) -> Values:
    """Return, per class (..., K), the share of the images named so that are."""
    return _ratio(_hits(confusion), confusion.sum(-2))


def recall(confusion: Counts) -> Values:
    """Return, per class (..., K), the share of its images that were named so."""
    return _ratio(_hits(confusion), confusion.sum(-1))


def f1(confusion: Counts) -> Values:
    """Return, per class (..., K), the harmonic mean of precision and recall."""
    return _ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def macro(values: Values) -> Values:
    """Return the mean over classes (..., K), each counted the same however many images it has."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1))


def macro_average_precision(positives: Sequence[Counts], negative: Counts) -> Values:
    """Return the mean over classes of the average precision of each class's defect pixels against all sound ones.

    Each of `positives` counts one class's defect pixels (..., B) over score bins, `negative` the sound pixels (..., B).
    Pooled, a class weighs as much as its defects cover; here every class weighs the same. One without a pixel is left
    out; NaN where none has any.

    >>> large, small, sound = np.array([0, 8]), np.array([2, 2]), np.array([90, 2])
    >>> float(macro_average_precision([large], sound))
    0.8
    >>> float(macro_average_precision([large, small], sound).round(3))
    0.535
    """
    if not positives:
        return np.full(negative.shape[:-1], np.nan)
    return macro(np.stack([average_precision(each, negative) for each in positives], -1))


def decision_threshold(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the score from which an image shall count as defective, so that the F1 score of `labels` is largest.

    `labels` (N,) are True for defective images. It lies midway between two scores, where several serve equally well in
    the widest gap. 0.5 where there are not both kinds of images.

    >>> decision_threshold(np.array([0, 0, 1, 1]), np.array([0.0, 0.2, 0.6, 0.9]))
    0.4
    """
    positive, negative = image_counts(labels, scores)
    if not positive.sum() or not negative.sum():
        return 0.5
    hits, alarms = positive[::-1].cumsum(), negative[::-1].cumsum()
    reached = 2 * hits / (hits + alarms + hits[-1])
    edges = np.append(np.unique(np.asarray(scores, np.float64))[::-1], 0.0)
    best = np.flatnonzero(reached == reached.max())
    chosen = best[(edges[best] - edges[best + 1]).argmax()]
    return float((edges[chosen] + edges[chosen + 1]) / 2)


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(above: Any, below: Any) -> Values:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    result: Values = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return result
