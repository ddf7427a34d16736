"""full_mask: a mask that covers nearly the whole picture, as inverted ones do."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts, measured_masks
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS

MOST_SHARE = 0.95


@FILE_CHECKS.register("full_mask")
def full_mask(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the masks that select more than 95 % of the picture."""
    for file, mask in measured_masks(entry, facts):
        if mask.share > MOST_SHARE:
            text = (
                f"the mask of {entry.id} covers {mask.share:.0%} of the picture: is it inverted? draw the defect alone"
            )
            yield Problem(file.path, "full_mask", text, "warning", (entry.image,))
