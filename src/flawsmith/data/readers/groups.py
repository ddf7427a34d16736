"""Which images show the same part, shot or burst: a CSV with the columns file and group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog, Entry
from flawsmith.data.readers.tables import read_table

GROUPS_FILE = "groups.csv"


def with_groups(catalog: Catalog, file: Path) -> Catalog:
    """Return the catalog with the groups of a CSV (columns file and group; further columns are ignored).

    A file is named by its path from the root, by its id, or by its bare name where only one image has that name. An
    image that the CSV does not name keeps a group of its own. Raises DataError where the CSV lacks a column, gives a
    file two groups, or names a file that is not there.
    """
    names = _names(catalog)
    groups: dict[str, str] = {}
    lost = []
    for name, group in _rows(file):
        entry = names.get(name)
        if entry is None:
            lost += [] if (catalog.root / name).is_file() else [name]
        elif group and groups.setdefault(entry.id, group) != group:
            raise DataError(f"{file}: {name} is in the groups {groups[entry.id]!r} and {group!r}: keep one of the rows")
    if lost:
        raise DataError(f"{file} names {len(lost)} files that are not in {catalog.root}, for example {lost[0]!r}")
    return catalog.with_entries(replace(entry, group=groups.get(entry.id, entry.group)) for entry in catalog)


def _rows(file: Path) -> list[tuple[str, str]]:
    table = read_table(file)
    if not {"file", "group"} <= set(table.columns):
        found = ", ".join(table.columns)
        raise DataError(f"{file}: expected the columns file and group, got {found or 'an empty file'}")
    cells = ((row.cells["file"], row.cells["group"]) for row in table.rows)
    return [(PurePosixPath(name.replace("\\", "/")).as_posix(), group) for name, group in cells if name]


def _names(catalog: Catalog) -> dict[str, Entry]:
    names: dict[str, Entry] = {}
    shared = set()
    for entry in catalog:
        shared |= {entry.image.name} if entry.image.name in names else set()
        names[entry.image.name] = entry
    names = {name: entry for name, entry in names.items() if name not in shared}
    for entry in catalog:
        names[entry.id] = entry
        if entry.image.is_relative_to(catalog.root):
            names[entry.image.relative_to(catalog.root).as_posix()] = entry
    return names
