"""file_name: a name that is no UTF-8, which neither JSON nor other tools can write."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem, printable
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("file_name")
def file_name(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield the image and the masks whose path holds bytes that are no UTF-8."""
    for path in (entry.image, *(mask.path for mask in entry.masks)):
        if printable(str(path)) != str(path):
            yield Problem(path, "file_name", f"the name of {path} is not valid UTF-8 (see %XX): rename it", "error")
