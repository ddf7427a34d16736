"""brightness_outlier: a picture far darker or brighter than its class."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.robust import robust_z
from flawsmith.data.checks.survey import Survey

MOST_Z, FLOOR = 6.0, 0.02
"""Robust deviations from the class's median; one is at least 2 % of the full range."""


@SET_CHECKS.register("brightness_outlier")
def brightness_outlier(seen: Survey) -> Iterator[Problem]:
    """Yield the images whose mean brightness is far from the median of their class."""
    for label, entries in seen.readable_by_label.items():
        levels = [seen.facts[entry.id].brightness for entry in entries]
        usual = sorted(levels)[len(levels) // 2]
        for entry, level, z in zip(entries, levels, robust_z(levels, FLOOR), strict=True):
            if abs(z) > MOST_Z:
                text = f"the mean brightness of {entry.id} is {level:.0%}, that of the class {label!r} {usual:.0%}"
                message = f"{text}: was it lit or exposed otherwise?"
                yield Problem(entry.image, "brightness_outlier", message, "warning")
