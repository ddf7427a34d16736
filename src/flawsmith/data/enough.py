"""Are there enough examples of a class? What was reached with how many, on real photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flawsmith.core.records import GOOD, Catalog

LEAST_GROUPS = 3
"""Fewer cannot be in the training, the validation and the test part."""
FEW_GROUPS = 20
"""Half of them are sealed for the test: fewer leave less to learn from than the most that was measured, 10."""


class Reached(NamedTuple):
    """What inspectors on real images alone reached with so many groups per class to learn from (mean of 3 seeds)."""

    data: str
    defects: str
    groups: str
    image_ap: float
    pixel_ap: float


MEASURED = (
    Reached("mvtec_bottle", "large and clear", "6 to 7", 0.997, 0.913),
    Reached("magnetic_tile", "small or faint", "10", 0.532, 0.304),
)
"""The arm `real` in benchmarks/results/proof.jsonl."""
CURVE = ((1, 0.68), (2, 0.70), (3, 0.72), (5, 0.74))
"""Groups per class and average precision over pixels on the demo set: benchmarks/results/curve.jsonl."""


@dataclass(frozen=True)
class ClassSize:
    """How many images and groups show a class, and a word on whether that will do: too few, few, or none."""

    label: str
    images: int
    groups: int

    @property
    def word(self) -> str:
        """What is to be said of it."""
        if self.groups < LEAST_GROUPS:
            return f"too few: {LEAST_GROUPS} groups are the least"
        return f"few: under {FEW_GROUPS} groups" if self.groups < FEW_GROUPS and self.label != GOOD else ""


def class_sizes(catalog: Catalog) -> list[ClassSize]:
    """Return the sizes of all classes, good parts first; these are named even where there are none."""
    groups: dict[str, set[str]] = {label: set() for label in (GOOD, *catalog.defect_labels)}
    images = dict.fromkeys(groups, 0)
    for entry in catalog:
        groups[entry.label].add(entry.group)
        images[entry.label] += 1
    return [ClassSize(label, images[label], len(found)) for label, found in groups.items()]


def experience() -> str:
    """Return what was reached with how many groups, and how to find out how many another product needs."""
    told = [
        f"with {each.groups} groups per class to learn from, {each.data} ({each.defects} defects) reached "
        f"an average precision of {each.image_ap:.2f} over images and {each.pixel_ap:.2f} over pixels"
        for each in MEASURED
    ]
    rise = ", ".join(f"{pixel_ap:.2f} with {groups}" for groups, pixel_ap in CURVE)
    return (
        f"Measured on real images alone: {'; '.join(told)}. On the demo set, that over pixels rose slowly with "
        f"the groups per class, {rise}; that over images was the same with one. How many your defects need is told by "
        "their own learning curve: flawsmith prove … proof.fewer_groups=[3,5]."
    )
