"""One inspector's table: file and label; where boxes were drawn, x1, y1, x2, y2 and a row per box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Box
from flawsmith.data.readers.inside import inside
from flawsmith.data.readers.listing import label_of
from flawsmith.data.readers.tables import Row, read_table

_FILE, _LABEL, _BOX = ("file", "image"), ("label", "class"), ("x1", "y1", "x2", "y2")
_FARTHEST_PX, _LEAST_PX = 1e7, 1e-6
"""No corner of a box is farther off, and no box has a smaller area: beyond, areas are no numbers."""
_JOIN = " + "
"""Between the names of an image with boxes of several classes."""


class NamedBox(NamedTuple):
    """A box, half open and in pixels, and what it is said to hold."""

    label: str
    box_xyxy: Box


class TableVotes(NamedTuple):
    """A table's labels by image, and its boxes by image; None where it has no columns for them."""

    labels: dict[str, str]
    boxes: dict[str, tuple[NamedBox, ...]] | None


def read_votes(file: Path, root: Path, images: Iterable[str]) -> TableVotes:
    """Read a table of what one inspector says of the images of a folder.

    An image is named by its path from `root`, or by its bare name where only one has it, with or without suffix. Names
    of good parts all mean "good"; a row without a label is no vote. An image with boxes of several classes gets all
    their names. Raises DataError, naming the line, for a missing column, a file that is not there or may be several, an
    image that is told twice, or a box that is none.
    """
    table = read_table(file)
    name, label = (_column(file, table.columns, choice) for choice in (_FILE, _LABEL))
    drawn = _has_boxes(file, table.columns)
    named = _Names(root, images)
    rows: dict[str, list[tuple[Row, NamedBox | None]]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    for row in table.rows:
        image, given = named.find(row.cells[name], row.place), row.cells[label]
        box = _box(row, label_of(given)) if drawn else None
        if given:
            rows[image].append((row, box))
            labels[image].append(label_of(given))
            _check_once(image, rows[image])
    boxes = {image: tuple(box for _, box in found if box is not None) for image, found in rows.items()}
    return TableVotes(
        {image: _JOIN.join(sorted(set(found))) for image, found in labels.items()}, boxes if drawn else None
    )


class _Names:
    """Finds images by the names that tables give them."""

    def __init__(self, root: Path, images: Iterable[str]) -> None:
        self.root = root
        self.ways: defaultdict[str, list[str]] = defaultdict(list)
        self.images = set(images)
        for image in sorted(self.images):
            path = PurePosixPath(image)
            for way in {path.with_suffix("").as_posix(), path.name, path.stem}:
                self.ways[way].append(image)

    def find(self, name: str, place: str) -> str:
        """Return the image of a name. Raises DataError where there is none, or several."""
        path = inside(name, self.root, place).as_posix()
        found = [path] if path in self.images else self.ways.get(path, [])
        if not found:
            raise DataError(f"{place}: there is no image {name!r} in {self.root}: put it there, or remove the line")
        if len(found) > 1:
            raise DataError(
                f"{place}: {name!r} may be {found[0]!r} or {found[1]!r}: name its folder and suffix as well"
            )
        return found[0]


def _column(file: Path, columns: tuple[str, ...], names: tuple[str, ...]) -> str:
    found = [name for name in names if name in columns]
    if len(found) != 1:
        raise DataError(
            f"{file}: expected one column {' or '.join(names)}, got {', '.join(columns) or 'an empty file'}"
        )
    return found[0]


def _has_boxes(file: Path, columns: tuple[str, ...]) -> bool:
    found = [name for name in _BOX if name in columns]
    if found and len(found) < len(_BOX):
        raise DataError(f"{file}: boxes need the columns {', '.join(_BOX)}, got only {', '.join(found)}")
    return bool(found)


def _box(row: Row, label: str) -> NamedBox | None:
    cells = [row.cells[name] for name in _BOX]
    if not any(cells):
        return None
    try:
        left, top, right, bottom = (float(cell) for cell in cells)
    except ValueError:
        raise DataError(f"{row.place}: a box is four numbers, got {', '.join(cells)}") from None
    sound = all(abs(each) <= _FARTHEST_PX for each in (left, top, right, bottom)) and left < right and top < bottom
    if not sound or (right - left) * (bottom - top) < _LEAST_PX:
        raise DataError(f"{row.place}: expected x1 < x2 and y1 < y2 in pixels, got {', '.join(cells)}")
    if not label or label == GOOD:
        raise DataError(f"{row.place}: a box without the name of a defect: write one, or remove the box")
    return NamedBox(label, (left, top, right, bottom))


def _check_once(image: str, rows: list[tuple[Row, NamedBox | None]]) -> None:
    if len(rows) > 1 and any(box is None for _, box in rows):
        places = " and ".join(row.place for row, _ in rows[-2:])
        raise DataError(f"{image!r} is told twice, in {places}: keep one row per image, or one per box")
