"""palette: pixels that are numbers of colours in a table."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("palette")
def palette(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield an image stored with a palette."""
    if facts.head and facts.head.colours == "palette":
        text = f"{entry.id} is stored with a palette (at most 256 colours) and read as RGB: save photographs without"
        yield Problem(entry.image, "palette", text, "note")
