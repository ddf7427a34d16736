"""How sure a number is: bootstrap over groups (never over pixels or pictures of one part), and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError

Values = NDArray[np.float64]


class Interval(NamedTuple):
    """A two-sided interval."""

    low: float
    high: float

    def excludes_zero(self) -> bool:
        """Whether zero lies outside (NaN ends exclude nothing)."""
        return self.low > 0 or self.high < 0


def resampling_weights(strata: Sequence[Any], draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (draws, G): how often each of G groups is drawn, with replacement within its stratum.

    `strata` names the stratum of each group (say: has a defect or not), whose size every draw keeps.
    """
    if len(strata) == 0:
        raise DataError("nothing to resample: there is no group")
    weights = np.zeros((draws, len(strata)), np.int64)
    for stratum in sorted(set(strata)):
        members = np.flatnonzero([each == stratum for each in strata])
        picks = rng.integers(len(members), size=(draws, len(members)))
        for draw, picked in enumerate(picks):
            weights[draw, members] = np.bincount(picked, minlength=len(members))
    return weights


def percentile_interval(values: Values, level: float = 0.95) -> Interval:
    """Return the percentile interval (Efron & Tibshirani 1993, 13.3) of bootstrap values (draws,), NaN left out."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], Values],
    strata: Sequence[Any],
    draws: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a statistic that maps group weights (draws, G) to values (draws,)."""
    return percentile_interval(statistic(resampling_weights(strata, draws, rng)), level)


def paired_difference(ours: Values, theirs: Values, level: float = 0.95) -> Interval:
    """Return the interval of ours - theirs, both computed on the same resamples (draws,)."""
    if np.shape(ours) != np.shape(theirs):
        raise DataError(f"a paired difference needs the same resamples, got {np.shape(ours)} and {np.shape(theirs)}")
    return percentile_interval(np.asarray(ours) - np.asarray(theirs), level)
