"""probable_groups: images that seem to show one part, shot or burst, where no groups are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from flawsmith.core.records import Entry
from flawsmith.data.checks.alike import Alike, clusters
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey

PROPOSED_FILE = "proposed_groups.csv"
"""What the check stage writes for the user to look at and to rename to groups.csv."""
BURST_S = 2.0


@SET_CHECKS.register("probable_groups")
def probable_groups(seen: Survey) -> Iterator[Problem]:
    """Yield one note that counts the images which seem to belong together."""
    groups = proposed_groups(seen)
    if groups:
        names = list(dict.fromkeys(groups.values()))
        first = [entry.id for entry in seen.catalog if groups.get(entry.id) == names[0]]
        text = (
            f"{len(groups)} images seem to be {len(names)} parts, shots or bursts (for example {', '.join(first[:4])}) "
            f"but no groups are given: look at {PROPOSED_FILE} and put it beside the images as groups.csv"
        )
        files = tuple(entry.image for entry in seen.catalog if entry.id in groups)
        yield Problem(seen.catalog.root, "probable_groups", text, "note", files)


def proposed_groups(seen: Survey) -> dict[str, str]:
    """Return a group by entry id for the images that seem to belong together; none where groups are given.

    Nearly the same pictures belong together; so do similar ones, upright, from one folder, whose names differ in
    digits only or that were taken within two seconds.
    """
    if seen.grouped:
        return {}
    entries = seen.compared
    pairs = [pair for pair in seen.alike if pair.near or _related(seen, pair)]
    found = enumerate(clusters(pairs, len(entries)), 1)
    return {entries[number].id: f"probable-{place:03d}" for place, numbers in found for number in numbers}


def _related(seen: Survey, pair: Alike) -> bool:
    one, other = seen.compared[pair.first], seen.compared[pair.second]
    if pair.view or one.image.parent != other.image.parent:
        return False
    times = _taken(seen, one), _taken(seen, other)
    burst = times[0] and times[1] and abs((times[0] - times[1]).total_seconds()) <= BURST_S
    return bool(burst) or _series(one) == _series(other)


def _series(entry: Entry) -> str:
    return re.sub(r"\d+", "#", entry.image.stem)


def _taken(seen: Survey, entry: Entry) -> datetime | None:
    head = seen.facts[entry.id].head
    try:
        return datetime.strptime(head.taken, "%Y:%m:%d %H:%M:%S") if head and head.taken else None
    except ValueError:
        return None
