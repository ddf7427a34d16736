"""cmyk: colours for printing, which are turned into RGB without a colour profile."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("cmyk")
def cmyk(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield an image stored in CMYK."""
    if facts.head and facts.head.colours == "cmyk":
        text = f"{entry.id} is stored in CMYK and read as RGB, its colours are only near: save it again as RGB or grey"
        yield Problem(entry.image, "cmyk", text, "warning")
