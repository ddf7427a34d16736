"""shifted_mask: a mask that would fit its defect clearly better a few pixels away."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts, measured_masks
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("shifted_mask")
def shifted_mask(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the masks that lie beside what stands out in the picture (see `drift`)."""
    for file, mask in measured_masks(entry, facts):
        if mask.drift:
            down, right, here, there = mask.drift
            text = f"the mask of {entry.id} would fit better moved by {right} px to the right and {down} px down"
            message = f"{text} (correlation {there:.2f} instead of {here:.2f}): lay it over the picture and look"
            yield Problem(file.path, "shifted_mask", message, "warning", (entry.image,))
