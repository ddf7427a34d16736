"""Run lengths in a table, as in Severstal's steel set: ImageId, ClassId, EncodedPixels."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog
from flawsmith.data.readers.labels import (
    Labelled,
    Pictures,
    check_found,
    declared_split,
    head_of,
    labelled_catalog,
    read_label_text,
    split_word,
)
from flawsmith.data.readers.listing import images_in, label_of
from flawsmith.data.readers.registry import READERS

_ONE_CLASS = "defect"
"""The label of every mask where there is no column for classes."""
_IMAGE, _CLASS, _BOTH, _RUNS = "imageid", "classid", "imageidclassid", "encodedpixels"
_NO_RUNS = ("", "-1", "nan")
_LONGEST_CELL = 2**30
_LONGEST_HEAD = 1000


class _Row(NamedTuple):
    line: int
    image: str
    label: str
    runs: str


class RleCsvReader:
    """A *.csv with ImageId, ClassId, EncodedPixels (or ImageId_ClassId) beside a folder of images.

    EncodedPixels are pairs "start length", counted from 1 down the columns. A row is an instance. Images without runs,
    and those beside named ones that have no row, are good; one with several classes has that of its first row. Files
    named as a submission are left out.

        DATA/
          train.csv
          train_images/001.jpg
          train_images/002.jpg
    """

    goes_by = "labels"

    def recognises(self, root: Path) -> bool:
        """Return whether a CSV has a column EncodedPixels and one for images."""
        return bool(_files(root))

    def read(self, root: Path) -> Catalog:
        """Read the catalog. Raises DataError, naming file and line, for runs or images that cannot be."""
        files = _files(root)
        found = _found(root, files) if files else []
        return labelled_catalog(root, "rle_csv", found)


def _files(root: Path) -> list[Path]:
    found = (path for path in sorted(root.glob("*.csv")) if path.is_file() and not path.name.startswith("."))
    return [path for path in found if "submission" not in path.stem.casefold() and _is_table(path)]


def _is_table(file: Path) -> bool:
    head = head_of(file, _LONGEST_HEAD).decode("utf-8", errors="replace").split("\n", 1)[0]
    columns = {_plain(cell) for cell in re.split("[,;]", head)}
    return _RUNS in columns and bool({_IMAGE, _BOTH} & columns)


def _plain(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]", "", (name or "").casefold())


def _found(root: Path, files: list[Path]) -> list[Labelled]:
    pictures = Pictures(root)
    found = [each for file in files for each in _read(file, pictures)]
    named, sources = {each.image for each in found}, {each.image.parent: each for each in found}
    for folder, neighbour in sources.items():
        others = (image for image in images_in(folder) if image not in named)
        found += [Labelled(image, (), neighbour.split, neighbour.source) for image in others]
    return found


def _read(file: Path, pictures: Pictures) -> Iterator[Labelled]:
    masks: dict[str, list[DrawnMask]] = defaultdict(list)
    for row in _rows(file):
        masks[row.image] += _masks(file, row)
    found = {name: pictures.find(name, file) for name in masks}
    check_found([name for name, image in found.items() if image is None], file, pictures.root)
    for name, image in found.items():
        if image is not None:
            words = split_word(file, pictures.root), split_word(image.parent, pictures.root)
            yield Labelled(image, tuple(masks[name]), declared_split(*words), file)


def _rows(file: Path) -> Iterator[_Row]:
    text = read_label_text(file)
    head = text.split("\n", 1)[0]
    usual = csv.field_size_limit(_LONGEST_CELL)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if "," not in head else ","))
    except csv.Error as error:
        raise DataError(f"{file} is not readable as a CSV: {error}") from None
    finally:
        csv.field_size_limit(usual)
    columns = [_plain(cell) for cell in table[0]]
    for line, cells in enumerate(table[1:], start=2):
        if cells and len(cells) != len(columns):
            raise DataError(f"{file}, line {line}: expected {len(columns)} cells, got {len(cells)}")
        if cells:
            yield _row(file, line, dict(zip(columns, (cell.strip() for cell in cells), strict=True)))


def _row(file: Path, line: int, cells: dict[str, str]) -> _Row:
    image, label = cells.get(_IMAGE, ""), cells.get(_CLASS, _ONE_CLASS)
    if _BOTH in cells:
        image, _, label = cells[_BOTH].rpartition("_")
    if not image or not label:
        raise DataError(f"{file}, line {line}: expected an image and a class, got {image!r} and {label!r}")
    return _Row(line, image, label_of(label), cells[_RUNS])


def _masks(file: Path, row: _Row) -> list[DrawnMask]:
    if row.runs.casefold() in _NO_RUNS:
        return []
    try:
        return [DrawnMask(file, row.label, "runs", (runs_of_pairs(row.runs),))]
    except ValueError as error:
        raise DataError(f"{file}, line {row.line}: {error}") from None


def runs_of_pairs(text: str) -> tuple[int, ...]:
    """Return pairs "start length" (starts count from 1) as lengths of runs outside and inside the mask in turn.

    Raises ValueError where they are no whole numbers, have an odd number, or overlap.

    >>> runs_of_pairs("3 2 9 1")
    (2, 2, 4, 1)
    """
    numbers = [int(each) for each in text.split()]
    if len(numbers) % 2:
        raise DataError(f"expected pairs of start and length, got {len(numbers)} numbers")
    runs, reached = [], 1
    for start, length in sorted(zip(numbers[::2], numbers[1::2], strict=True)):
        if start < reached or length < 1:
            raise DataError(
                f"expected runs that begin at 1 or later and do not overlap, got the run '{start} {length}'"
            )
        runs.append((start - reached, length))
        reached = start + length
    return tuple(chain.from_iterable(runs))


READERS.register("rle_csv")(RleCsvReader())
