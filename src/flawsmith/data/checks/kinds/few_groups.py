"""few_groups: a class that cannot be in the training, validation and test part."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import GOOD
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey

FEW_GROUPS = 3


@SET_CHECKS.register("few_groups")
def few_groups(seen: Survey) -> Iterator[Problem]:
    """Yield the classes with fewer than 3 groups; the good one is missed even where it has no image."""
    groups: dict[str, set[str]] = {label: set() for label in (GOOD, *seen.catalog.defect_labels)}
    for entry in seen.catalog:
        groups[entry.label].add(entry.group)
    for label, count in ((label, len(found)) for label, found in groups.items()):
        if count < FEW_GROUPS:
            text = f"class {label!r} has {count} groups, expected at least {FEW_GROUPS} to learn, validate and test"
            yield Problem(seen.catalog.root, "few_groups", text, "warning")
