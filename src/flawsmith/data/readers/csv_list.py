"""A plain table of paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from flawsmith.core.errors import DataError, LayoutError
from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.readers.groups import GROUPS_FILE
from flawsmith.data.readers.listing import SPLIT_FOLDERS, Found, label_of, to_catalog
from flawsmith.data.readers.registry import READERS
from flawsmith.data.readers.tables import Row, Table, columns_of, path_inside, read_table

_NOT_LISTS = (GROUPS_FILE, "image_anno.csv")
_RUNS = "encodedpixels"
"""A table with this column holds masks as run lengths, not as files."""
_IMAGE = ("image", "file", "path", "filename", "image_path")
_LABEL = ("label", "class")
_MASK = ("mask", "mask_path")
_ONE_CLASS = "defect"
"""The label of every masked image where the table has no labels."""


class _Line(NamedTuple):
    """What a row says, and where it stands."""

    place: str
    found: Found
    group: str


class CsvReader:
    """One table with the columns image and label or mask (also group, split), paths relative to it.

    Comma, semicolon or tab; UTF-8. Image may also be called file, path, filename or image_path; label class; mask
    mask_path. Without labels, an image with a mask has the label "defect" and one without is good.

        DATA/
          list.csv             image,label,mask,group,split
                               photos/1.jpg,good,,part-1,train
                               photos/2.jpg,scratch,drawn/2.png,part-2,test
          photos/1.jpg
          photos/2.jpg
          drawn/2.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether exactly one table in the folder has a column of images, and one of labels or masks."""
        lists = _lists(root)
        return len(lists) == 1 and _column(columns_of(lists[0]), (*_LABEL, *_MASK)) is not None

    def read(self, root: Path) -> Catalog:
        """Read the catalog.

        Raises LayoutError where several tables have a column of images; DataError, naming the line, for a path that
        leaves the folder or leads to no file, a missing label, an unknown split, or an image that is listed twice.
        """
        lists = _lists(root)
        if len(lists) > 1:
            names = ", ".join(file.name for file in lists)
            raise LayoutError(f"{root} holds {len(lists)} tables of images ({names}), expected one: join or move them")
        lines = [line for file in lists for line in _read(root, file, read_table(file))]
        _check_once(lines)
        catalog = to_catalog(root, "csv", (line.found for line in lines))
        rows = zip(catalog, lines, strict=True)
        return catalog.with_entries(replace(entry, group=line.group or entry.group) for entry, line in rows)


def _lists(root: Path) -> list[Path]:
    files = sorted(root.iterdir()) if root.is_dir() else []
    tables = (file for file in files if file.suffix.lower() in (".csv", ".tsv") and not file.name.startswith("."))
    columns = {file: columns_of(file) for file in tables if file.name.casefold() not in _NOT_LISTS}
    return [file for file, named in columns.items() if _column(named, _IMAGE) and _RUNS not in named]


def _column(columns: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in columns), None)


def _read(root: Path, file: Path, table: Table) -> Iterator[_Line]:
    image, label, mask = (_column(table.columns, names) for names in (_IMAGE, _LABEL, _MASK))
    if image is None:
        raise DataError(f"{file}: expected a column image, got {', '.join(table.columns) or 'an empty file'}")
    for row in table.rows:
        path = path_inside(root, row.cells[image], row.place)
        drawn = path_inside(root, row.cells[mask], row.place) if mask and row.cells[mask] else None
        given = _label(row, label) if label else _ONE_CLASS if drawn else GOOD
        folder = path.parent.relative_to(root).as_posix().removeprefix(".")
        yield _Line(row.place, Found(folder, path, given, drawn, _split(row)), row.cells.get("group", ""))


def _label(row: Row, column: str) -> str:
    if not row.cells[column]:
        raise DataError(f"{row.place}: no {column}, expected {GOOD!r} or the name of a defect: write it in")
    return label_of(row.cells[column])


def _split(row: Row) -> str | None:
    name = row.cells.get("split", "")
    if name and name.casefold() not in SPLIT_FOLDERS:
        raise DataError(f"{row.place}: unknown split {name!r}, expected train, val, test or nothing")
    return SPLIT_FOLDERS.get(name.casefold())


def _check_once(lines: list[_Line]) -> None:
    first: dict[Path, str] = {}
    for line in lines:
        if first.setdefault(line.found.image, line.place) != line.place:
            before = first[line.found.image]
            raise DataError(f"{line.place}: {line.found.image} stands in {before} already: keep one line per image")


READERS.register("csv")(CsvReader())
