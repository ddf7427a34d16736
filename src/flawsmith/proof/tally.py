"""Pixels of the sealed images, counted per test group and, the defective ones, per class: what numbers and intervals
need of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.records import GOOD, Entry
from flawsmith.metrics.inspection import PixelCounts, coarse

COARSE_BINS = 2048
KEPT = ("positive", "negative", "overlap")
CLASS, GROUPS = "class/", "/groups"
"""A class's rows are kept as `class/NAME`, and the groups they are of as `class/NAME/groups`."""


class ClassPixels(NamedTuple):
    """Defect pixels of one class over coarse score bins: `counts` (P, B), the row p of the group `groups` (P,)."""

    groups: NDArray[np.int64]
    counts: NDArray[np.float64]


class Tally:
    """Adds up images one by one; `groups` are all test groups, in the order of the rows.

    An image's defects count as the class of the image.
    """

    def __init__(self, groups: Sequence[str]) -> None:
        self.total = PixelCounts.empty()
        self.positive: dict[str, NDArray[np.int64]] = {}
        self._place = {group: number for number, group in enumerate(groups)}
        self._counts = {name: np.zeros((len(groups), COARSE_BINS)) for name in KEPT}
        self._regions = np.zeros(len(groups))
        self._rows: dict[str, dict[int, NDArray[np.float64]]] = {}

    def add(self, entry: Entry, pixels: PixelCounts) -> None:
        """Count one image."""
        self.total, group = self.total + pixels, self._place[entry.group]
        for name in KEPT:
            self._counts[name][group] += coarse(getattr(pixels, name), COARSE_BINS)
        self._regions[group] += pixels.regions
        if entry.label != GOOD:
            self.positive[entry.label] = self.positive.get(entry.label, 0) + pixels.positive
            rows = self._rows.setdefault(entry.label, {})
            rows[group] = rows.get(group, 0) + coarse(pixels.positive, COARSE_BINS).astype(np.float64)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what is to be kept of it, by name."""
        found: dict[str, NDArray[Any]] = {**self._counts, "regions": self._regions}
        for label, rows in sorted(self._rows.items()):
            found[f"{CLASS}{label}"] = np.stack([rows[group] for group in sorted(rows)])
            found[f"{CLASS}{label}{GROUPS}"] = np.array(sorted(rows), np.int64)
        return found


def class_pixels(tensors: Mapping[str, NDArray[Any]]) -> list[ClassPixels]:
    """Return the defect pixels of every class from what `Tally.tensors` gave."""
    names = sorted(name for name in tensors if name.startswith(CLASS) and f"{name}{GROUPS}" in tensors)
    return [ClassPixels(tensors[f"{name}{GROUPS}"], tensors[name]) for name in names]
