"""near_duplicate: nearly the same picture under two classes, in two declared splits or in two given groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flawsmith.core.records import Entry
from flawsmith.data.checks.alike import VIEWS, Alike, clusters
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey

_SHOWN = 6


@SET_CHECKS.register("near_duplicate")
def near_duplicate(seen: Survey) -> Iterator[Problem]:
    """Yield the sets of images that show nearly the same where only one of them should.

    Images of one class and split are nobody's mistake where no groups are given: `probable_groups` proposes some.
    """
    entries = seen.compared
    same = {entry.id: number for number, files in enumerate(seen.identical) for entry in files}
    pairs = [
        pair
        for pair in seen.alike
        if pair.near and _apart(entries[pair.first], entries[pair.second], seen.grouped)
        if same.get(entries[pair.first].id, -1) != same.get(entries[pair.second].id, -2)
    ]
    for near in _by_groups(pairs, entries):
        members = [entries[number] for number in sorted({number for pair in near for number in pair[:2]})]
        files = tuple(entry.image for entry in members)
        yield Problem(files[0], "near_duplicate", _message(members, near), "warning", files[1:])


def _by_groups(pairs: Sequence[Alike], entries: Sequence[Entry]) -> list[list[Alike]]:
    """Return the pairs in sets of which no two concern the same group."""
    names = {group: number for number, group in enumerate(dict.fromkeys(entry.group for entry in entries))}
    number = [names[entry.group] for entry in entries]
    links = [pair._replace(first=number[pair.first], second=number[pair.second]) for pair in pairs]
    home = {group: place for place, groups in enumerate(clusters(links, len(names))) for group in groups}
    found: dict[int, list[Alike]] = {}
    for pair in pairs:
        found.setdefault(home[number[pair.first]], []).append(pair)
    return list(found.values())


def _apart(one: Entry, other: Entry, grouped: bool) -> bool:
    """Return whether two images that show the same lie where they must not."""
    if one.group == other.group:
        return False
    return grouped or one.label != other.label or bool(one.split and other.split and one.split != other.split)


def _message(entries: Sequence[Entry], pairs: Sequence[Alike]) -> str:
    names = ", ".join(entry.id for entry in entries[:_SHOWN])
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    views = sorted({VIEWS[pair.view] for pair in pairs} - {""})
    how = f" ({', '.join(views)})" if views else ""
    where = [
        f"the {what} {', '.join(found)}"
        for what, found in {
            "classes": sorted({entry.label for entry in entries}),
            "splits": sorted({entry.split for entry in entries if entry.split}),
            "groups": sorted({entry.group for entry in entries if entry.group != entry.id}),
        }.items()
        if len(found) > 1
    ]
    together = f"lie in {' and '.join(where)}" if where else "lie in several groups"
    return (
        f"{names}{more} show nearly the same{how} but {together}: what is learnt from one is tested on the other; "
        "keep one, or give them one group in groups.csv"
    )
