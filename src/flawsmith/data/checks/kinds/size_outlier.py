"""size_outlier: a picture far smaller or larger than its class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flawsmith.core.records import Entry
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.robust import robust_z
from flawsmith.data.checks.survey import Survey

MOST_Z, FLOOR = 8.0, 0.1
"""Robust deviations of the logarithm of height or width; one is at least a factor of 1.1."""


@SET_CHECKS.register("size_outlier")
def size_outlier(seen: Survey) -> Iterator[Problem]:
    """Yield the images whose height or width is far from the median of their class."""
    for label, entries in seen.readable_by_label.items():
        sizes = np.array([_size_hw(seen, entry) for entry in entries])
        usual = np.median(sizes, axis=0)
        z = np.array([robust_z(list(np.log(side)), FLOOR) for side in sizes.T])
        for number in np.flatnonzero((np.abs(z) > MOST_Z).any(axis=0)):
            height, width = sizes[number]
            text = f"{entries[number].id} has {width} x {height} pixels, the class {label!r} usually"
            message = f"{text} {usual[1]:.0f} x {usual[0]:.0f}: is it from another camera, or scaled?"
            yield Problem(entries[number].image, "size_outlier", message, "warning")


def _size_hw(seen: Survey, entry: Entry) -> tuple[int, int]:
    head = seen.facts[entry.id].head
    return head.size_hw if head else (1, 1)
