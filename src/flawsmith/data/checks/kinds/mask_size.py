"""mask_size: a mask that is not as large as its image."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import GOOD, Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("mask_size")
def mask_size(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the masks of a defect image that have another size than it."""
    if facts.head is None or entry.label == GOOD:
        return
    height, width = facts.head.size_hw
    for file, mask in zip(entry.masks, facts.masks, strict=True):
        if mask.fault is None and mask.size_hw != facts.head.size_hw:
            text = f"{file.path}: the mask is {mask.size_hw[1]} x {mask.size_hw[0]} pixels but its image is"
            message = f"{text} {width} x {height}: masks have the size of their image"
            yield Problem(file.path, "mask_size", message, "error", (entry.image,))
