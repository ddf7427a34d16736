"""missing_mask: a defect image without a mask where others of its class have one."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import GOOD
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("missing_mask")
def missing_mask(seen: Survey) -> Iterator[Problem]:
    """Yield the defect images that lack a mask, in classes where any image has one."""
    masked = {entry.label for entry in seen.catalog if entry.masks} - {GOOD}
    for entry in seen.catalog:
        if entry.label in masked and not entry.masks:
            text = f"{entry.id} has no mask, unlike others of the class {entry.label!r}"
            yield Problem(entry.image, "missing_mask", f"{text}: draw it, or only its class is used", "warning")
