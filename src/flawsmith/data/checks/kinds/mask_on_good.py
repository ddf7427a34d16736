"""mask_on_good: an image labelled good for which a mask shows a defect."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import GOOD, Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("mask_on_good")
def mask_on_good(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the masks of a good image that select any pixel; black ones are fine."""
    if entry.label != GOOD:
        return
    for file, mask in zip(entry.masks, facts.masks, strict=bool(facts.masks)):
        if mask.share:
            text = f"{entry.id} is labelled good, but its mask selects {mask.share:.1%} of it: it is not used"
            message = f"{text}; move the image to its defect class, or delete the mask"
            yield Problem(file.path, "mask_on_good", message, "warning", (entry.image,))
