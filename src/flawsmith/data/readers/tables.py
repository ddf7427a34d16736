"""Strangers' tables and lists: text that must be UTF-8, delimited rows that know their line, paths that stay inside."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from flawsmith.core.errors import DataError
from flawsmith.data.readers.inside import inside

_DELIMITERS = (",", ";", "\t")
_LONGEST_HEAD = 2**16
"""Bytes within which a table's first line must end to be looked at."""


class Row(NamedTuple):
    """One row of a table: where it stands ("labels.csv, line 3"), and its cells by column, without outer spaces."""

    place: str
    cells: dict[str, str]


class Table(NamedTuple):
    """A delimited file: the columns' names in lower case, and the rows that are not empty."""

    columns: tuple[str, ...]
    rows: list[Row]


def read_text(file: Path) -> str:
    """Return a text file, UTF-8 with or without a mark. Raises DataError where it cannot be read or is no UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def columns_of(file: Path) -> tuple[str, ...]:
    """Return the columns that a file's first line names, as well as it can be made out; none where it cannot."""
    try:
        with file.open("rb") as opened:
            head = opened.readline(_LONGEST_HEAD).decode("utf-8-sig", errors="replace")
        return _columns(next(csv.reader([head], delimiter=_delimiter(head)), []))
    except (OSError, csv.Error):
        return ()


def read_table(file: Path) -> Table:
    """Return a table whose first line names the columns; comma, semicolon or tab, whichever the first line has most of.

    Short rows are filled with empty cells. Raises DataError, naming the line, for a row with more cells than columns,
    two columns of one name, or quotes that never end.
    """
    text = read_text(file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.split("\n", 1)[0]), strict=True)
    try:
        lines = [(f"{file}, line {reader.line_num}", [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: not a table of cells ({error})") from error
    lines = [(place, cells) for place, cells in lines if any(cells)]
    columns = _columns(lines[0][1] if lines else [])
    _check_columns(file, columns)
    return Table(columns, [_row(place, columns, cells) for place, cells in lines[1:]])


def path_inside(root: Path, name: str, place: str) -> Path:
    """Return the path of an existing file that a list at `place` names, relative to `root` or inside it.

    Raises DataError for a path that leaves `root` (`..`, or absolute and elsewhere), or where there is no such file.
    """
    path = root / inside(name, root, place)
    if not _is_file(path):
        raise DataError(f"{place}: there is no file {name!r} in {root}: put it there, or remove the line")
    return path


def _delimiter(head: str) -> str:
    return max(_DELIMITERS, key=head.count)


def _columns(cells: list[str]) -> tuple[str, ...]:
    return tuple(cell.strip().casefold() for cell in cells)


def _check_columns(file: Path, columns: tuple[str, ...]) -> None:
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DataError(f"{file}: two columns are called {twice[0]!r}: rename or remove one")


def _row(place: str, columns: tuple[str, ...], cells: list[str]) -> Row:
    if any(cells[len(columns) :]):
        raise DataError(f"{place}: {len(cells)} cells under {len(columns)} columns: quote what holds the delimiter")
    return Row(place, dict(zip(columns, [*cells, *[""] * len(columns)], strict=False)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False
