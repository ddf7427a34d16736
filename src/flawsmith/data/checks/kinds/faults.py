"""unreadable, truncated, too_large, link_outside: files that cannot be used at all."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.records import GOOD, Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("faults")
def faults(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield why the image, or a mask of a readable one, could not be opened."""
    if facts.fault:
        yield Problem(entry.image, facts.fault.kind, facts.fault.message, "error")
        return
    for file, mask in zip(entry.masks, facts.masks, strict=True):
        if mask.fault and entry.label != GOOD:
            # Labels of many images stand in one file: of numbers that do not fit, the image is named.
            about = entry.image if isinstance(file, DrawnMask) else file.path
            yield Problem(about, mask.fault.kind, mask.fault.message, "error")
