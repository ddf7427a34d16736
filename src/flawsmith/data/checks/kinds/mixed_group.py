"""mixed_group: a group that shows several classes."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import Entry
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("mixed_group")
def mixed_group(seen: Survey) -> Iterator[Problem]:
    """Yield the groups that show several classes."""
    members: dict[str, list[Entry]] = {}
    for entry in seen.catalog:
        members.setdefault(entry.group, []).append(entry)
    for group, entries in members.items():
        labels, files = sorted({entry.label for entry in entries}), tuple(entry.image for entry in entries)
        if len(labels) > 1:
            text = f"group {group!r} shows the classes {', '.join(labels)}: it counts for each of them"
            yield Problem(files[0], "mixed_group", text, "note", files[1:])
