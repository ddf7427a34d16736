"""exif_rotation: a picture that lies turned or mirrored in its file, with a mark that says so."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS


@FILE_CHECKS.register("exif_rotation")
def exif_rotation(entry: Entry, facts: ImageFacts) -> Iterator[Problem]:
    """Yield an image whose EXIF orientation is not upright."""
    if facts.head and facts.head.orientation != 1:
        text = (
            f"{entry.id} has the EXIF orientation {facts.head.orientation} and is turned upright when it is read; "
            "tools that leave it turned put masks and boxes elsewhere: save it upright"
        )
        yield Problem(entry.image, "exif_rotation", text, "warning")
