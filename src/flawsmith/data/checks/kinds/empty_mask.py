"""empty_mask: a defect image whose mask selects no pixel."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.records import Entry, MaskSource
from flawsmith.data.checks.facts import ImageFacts, MaskFacts, measured_masks
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("empty_mask")
def empty_mask(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the empty masks of a defect image."""
    for file, mask in measured_masks(entry, facts):
        if not mask.share:
            text = f"the mask of the {entry.label!r} image {entry.id} is empty ({_seen(file, mask)})"
            message = f"{text}: draw it, or only the class is used"
            yield Problem(file.path, "empty_mask", message, "warning", (entry.image,))


def _seen(file: MaskSource, mask: MaskFacts) -> str:
    if isinstance(file, DrawnMask):
        return f"its {file.kind} cover no pixel of the image"
    if file.value is not None:
        return f"no pixel equals {file.value}"
    if mask.highest:
        return f"its brightest pixel is {mask.highest}, below the threshold {file.threshold}"
    return "it is black"
