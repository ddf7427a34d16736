"""alpha: a transparency channel, which is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("alpha")
def alpha(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield an image with a transparency channel."""
    if facts.head and facts.head.alpha:
        text = f"{entry.id} has a transparency channel, which is dropped: what it hides is seen; save it without"
        yield Problem(entry.image, "alpha", text, "note")
