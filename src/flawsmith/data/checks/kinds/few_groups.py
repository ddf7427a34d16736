"""few_groups: a class that cannot be in the training, validation and test part."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey
from flawsmith.data.enough import LEAST_GROUPS, class_sizes


@SET_CHECKS.register("few_groups")
def few_groups(seen: Survey) -> Iterator[Problem]:
    """Yield the classes with fewer than 3 groups; the good one is missed even where it has no image."""
    for each in class_sizes(seen.catalog):
        if each.groups < LEAST_GROUPS:
            text = f"class {each.label!r} has {each.groups} groups, expected at least {LEAST_GROUPS}"
            yield Problem(seen.catalog.root, "few_groups", f"{text} to learn, validate and test", "warning")
