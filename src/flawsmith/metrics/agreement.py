"""How well several people agree on labels, beyond what chance would do. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from flawsmith.core.errors import DataError
from flawsmith.metrics.intervals import Interval, percentile_interval

Counts = NDArray[np.int64]
Codes = NDArray[np.int64]
Weights = NDArray[np.int64]
"""How often each image counts; a resample of the images is such weights."""


class Kappa(NamedTuple):
    """A kappa: 1 is full agreement, 0 that of chance; NaN where everybody only ever used one label."""

    value: float
    interval: Interval


def agreement(counts: Counts) -> NDArray[np.float64]:
    """Return for each image the share of the pairs of votes that agree (Fleiss 1971), in [0, 1].

    `counts` is (images, labels): how many voted what. Images with fewer than two votes give NaN.

    >>> agreement(np.array([[3, 0], [2, 1], [1, 0]])).round(2).tolist()
    [1.0, 0.33, nan]
    """
    votes = counts.sum(1)
    pairs = np.where(votes > 1, votes * (votes - 1), 1)
    agreeing = (counts * (counts - 1)).sum(1) / pairs
    return np.asarray(np.where(votes > 1, agreeing, np.nan))


def fleiss_kappa(counts: Counts, weights: Weights | None = None) -> float:
    """Return Fleiss' kappa (1971) of (images, labels) counts: the agreement of many, who may change.

    Raises DataError where the images have not all the same number of votes, at least two.
    """
    votes = _votes_per_image(counts)
    times = np.ones(len(counts), np.int64) if weights is None else weights
    shares = times @ counts / (times.sum() * votes)
    expected = float((shares**2).sum())
    observed = float(times @ agreement(counts) / times.sum())
    return (observed - expected) / (1 - expected) if (shares > 0).sum() > 1 else float("nan")


def label_kappas(counts: Counts) -> NDArray[np.float64]:
    """Return Fleiss' kappa of each label against all others (1971) of (images, labels) counts, (labels,).

    NaN for a label that nobody or everybody used throughout. Raises DataError as `fleiss_kappa` does.
    """
    votes = _votes_per_image(counts)
    shares = counts.sum(0) / counts.sum()
    chance = len(counts) * votes * (votes - 1) * shares * (1 - shares)
    differing = (counts * (votes - counts)).sum(0)
    return np.asarray(np.where(chance > 0, 1 - differing / np.where(chance > 0, chance, 1), np.nan))


def cohen_kappa(one: Codes, other: Codes, weights: Weights | None = None) -> float:
    """Return Cohen's kappa (1960) of two people's labels, as numbers from 0, of the same images."""
    if len(one) != len(other) or not len(one):
        raise DataError(f"Cohen's kappa needs two people's labels of the same images, got {len(one)} and {len(other)}")
    labels = int(max(one.max(), other.max())) + 1
    times = np.bincount(one * labels + other, weights, minlength=labels * labels)
    cells = np.flatnonzero(times)
    ones, others = cells // labels, cells % labels
    if len({*ones.tolist(), *others.tolist()}) < 2:
        return float("nan")
    return float(cohen_kappa_score(ones, others, sample_weight=times[cells]))


def with_interval(
    kappa: Callable[[Weights | None], float],
    groups: Codes,
    draws: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Kappa:
    """Return a kappa and its percentile interval by bootstrap.

    `kappa` maps image weights to a value; `groups` numbers the group of each image from 0: whole groups are drawn, as
    pictures of one part are no independent evidence.
    """
    count = int(groups.max()) + 1
    drawn = (np.bincount(rng.integers(count, size=count), minlength=count)[groups] for _ in range(draws))
    return Kappa(kappa(None), percentile_interval(np.array([kappa(weights) for weights in drawn]), level))


def _votes_per_image(counts: Counts) -> int:
    votes = np.unique(counts.sum(1))
    if len(votes) != 1 or votes[0] < 2:
        raise DataError(
            f"Fleiss' kappa needs the same number of votes, at least 2, for every image: got {votes.tolist()}"
        )
    return int(votes[0])
