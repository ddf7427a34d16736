"""What a gain is worth in real defects: the learning curve of real images alone, read at the candidate's metric.

Beyond its end the curve is taken to rise with the logarithm of the groups, as steeply as on the way to that end. A
curve that bends down, as those that near a ceiling do, rises less than that, so it is worth rather more than is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flawsmith.metrics.intervals import percentile_interval
from flawsmith.proof.statistics import METRICS, Draws

Values = NDArray[np.float64]
FARTHEST = 2.0
"""The curve is read up to this many times the groups it ends with."""

Status = Literal["said", "no gain", "flat curve", "too far", "too few points", "undefined"]


@dataclass(frozen=True)
class Worth:
    """How many more real groups per class than `groups` would do as much: `more`, if `status` is "said".

    `low` and `high` bound 95 %: below 0 means that fewer would do, None at the upper end that it is farther than the
    curve is read.
    """

    status: Status
    groups: float
    more: float | None = None
    low: float | None = None
    high: float | None = None


def more_groups(groups: Values, curve: Values, candidate: Values) -> Values:
    """Return how many more groups than the last of `groups` lift the curve to `candidate`; negative if fewer do.

    `groups` (K,) rises and the metric `curve` (K, ...) belongs to it; `candidate` (...). The line in log(groups) goes
    through the last point, its slope is that of least squares. Infinite above a curve that does not rise.

    >>> line = lambda count: 0.2 + 0.1 * np.log(count)
    >>> groups = np.array([3.0, 5.0, 10.0])
    >>> round(float(more_groups(groups, line(groups), np.array(line(14.0)))), 6)
    4.0
    """
    slope, gain = _slope(groups, curve), candidate - curve[-1]
    rising = slope > 0
    flat = np.where(gain == 0, 0.0, np.copysign(np.inf, gain))
    growth = np.where(rising, gain / np.where(rising, slope, 1.0), flat)
    with np.errstate(over="ignore"):
        return np.where(np.isnan(slope + gain), np.nan, groups[-1] * np.expm1(growth))


def _slope(groups: Values, curve: Values) -> Values:
    """Return the metric's rise per unit of log(groups), the line held at the last point."""
    reach = np.log(groups[:-1] / groups[-1])
    return np.asarray(np.tensordot(reach, curve[:-1] - curve[-1], 1) / (reach**2).sum())


def worth(
    groups: Sequence[float], curve: Values, candidate: float, curve_draws: Values, candidate_draws: Values
) -> Worth:
    """Return what a candidate is worth in real groups per class, and how surely.

    `groups` (K,) in any order, the metric `curve` (K,) of real images alone with so many, its bootstrap values
    `curve_draws` (K, D) and those of the candidate (D,), drawn together.
    """
    order = np.argsort(groups, kind="stable")
    counts = np.asarray(groups, np.float64)[order]
    curve, curve_draws = curve[order], curve_draws[order]
    most = (FARTHEST - 1) * counts[-1]
    if len(counts) < 2:
        return Worth("too few points", float(counts[-1]))
    more = float(more_groups(counts, curve, np.asarray(candidate)))
    status = _status(candidate - curve[-1], float(_slope(counts, curve)), more > most)
    if status != "said":
        return Worth(status, float(counts[-1]))
    # A draw whose curve does not rise knows no number: it counts as beyond reach, it is not left out.
    drawn = np.clip(more_groups(counts, curve_draws, candidate_draws), -counts[-1], most)
    low, high = percentile_interval(drawn)
    return Worth(status, float(counts[-1]), more, low, high if high < most else None)


def _status(gain: float, slope: float, is_far: bool) -> Status:
    if np.isnan(gain + slope):
        return "undefined"
    if gain <= 0:
        return "no gain"
    if slope <= 0:
        return "flat curve"
    return "too far" if is_far else "said"


def worth_of(
    table: Sequence[Mapping[str, Any]], draws: Draws, groups: Mapping[str, float], candidate: str
) -> dict[str, dict[str, Any]]:
    """Return, per metric, the candidate's worth and a sentence; `groups` maps the arms of the curve to their groups."""
    means = {row["arm"]: row["metrics"] for row in table}
    found = {}
    for metric in METRICS:
        curve = np.array([means[arm][metric]["mean"] for arm in groups], np.float64)
        curve_draws = np.stack([draws.values[arm][metric] for arm in groups])
        mine = worth(
            list(groups.values()), curve, means[candidate][metric]["mean"], curve_draws, draws.values[candidate][metric]
        )
        found[metric] = {**asdict(mine), "sentence": sentence(mine)}
    return found


def sentence(found: Worth) -> str:
    """Say what a candidate is worth, or why that cannot be said."""
    have = number(found.groups)
    if found.status == "said" and found.more is not None:
        surely = "" if found.low is not None and found.low > 0 else "not surely "
        return (
            f"{surely}worth about {number(found.more)} more real groups per class, beside the {have} there are "
            f"(95 % confidence: {span(found)})"
        )
    return _UNSAID[found.status].format(have=have)


_UNSAID: Mapping[Status, str] = {
    "no gain": "worth no more real groups: it is not above real images alone",
    "flat curve": "cannot be said in real groups: up to {have} per class, more of them did not raise this number",
    "too far": "cannot be said in real groups: it would take more than twice the {have} per class there are, and the "
    "curve is not read farther",
    "too few points": "not measured in real groups: no arm learnt from fewer than there are; set proof.fewer_groups, "
    "for example [3, 5]",
    "undefined": "cannot be said in real groups: the number is not defined on these test images",
}


def span(found: Worth) -> str:
    """Write the interval of a number that could be said: "2 to 7", "none to more than 10"."""
    low = number(found.low) if found.low is not None and found.low > 0 else "none"
    most = number((FARTHEST - 1) * found.groups)
    return f"{low} to {number(found.high) if found.high is not None else f'more than {most}'}"


def number(value: float) -> str:
    """Write a number of groups: one digit after the point below ten.

    >>> number(4.04), number(3.6), number(12.4)
    ('4', '3.6', '12')
    """
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
