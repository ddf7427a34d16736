"""Masks whose pixel values are class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flawsmith.core.errors import DataError, ImageError
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import read_classes
from flawsmith.data.readers.class_masks import (
    MOST_CLASSES,
    Areas,
    areas_of,
    counted,
    has_class_folders,
    mask_folders,
    some_masks,
    to_class_catalog,
)
from flawsmith.data.readers.class_names import class_colours, class_numbers, is_background
from flawsmith.data.readers.registry import READERS

_IGNORED = 255
"""The usual number for pixels that nobody decided about."""


class ClassIndexReader:
    """images/*, masks of the same names in masks/* whose pixel values are class numbers (0 is background).

    Both may lie in train/ and test/, or have folders inside. Names come from classes.txt, classes.json or labels.txt
    beside, else they are class_1, class_2 ….

        DATA/
          classes.txt          background, scratch, dent: a name per line
          images/001.jpg
          images/002.jpg
          masks/001.png        0 = background, 1 = scratch, 2 = dent
          masks/002.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether masks hold numbers from 2 up, or numbers that a file names; 0 and 255 alone never do."""
        folders = [root, *mask_folders(root)]
        if len(folders) == 1 or class_colours(folders) is not None:
            return False
        names = _names(folders)
        if not names and has_class_folders(root):
            return False
        kinds = (_kind(mask, names) for mask in some_masks(root))
        return next((kind for kind in kinds if kind is not None), False)

    def read(self, root: Path) -> Catalog:
        """Read the catalog; every mask is opened once. Raises ImageError for a mask that is damaged or coloured.

        255 is left out where no file names it. Raises DataError for another number that the file does not name, for
        masks of 0 and 255 alone, or where there are more than `MOST_CLASSES` and no file.
        """
        names = class_numbers([root, *mask_folders(root)])
        rows = counted(root, _areas)
        values = {value: row.found.mask for row in rows for value in row.areas if value}
        if values.keys() == {_IGNORED}:
            raise DataError(f"the masks in {root} hold 0 and 255 alone, expected class numbers: they mark one class")
        if names is None:
            names = _made_up(root, set(values) - {_IGNORED})
        for value, mask in sorted(values.items()):
            if value not in names and value != _IGNORED:
                raise DataError(f"{mask} holds the class number {value}, which has no name: add it to the class file")
        defects = {value: name for value, name in names.items() if value and not is_background(name)}
        return to_class_catalog(root, "class_index", rows, defects, int)


def _names(folders: Sequence[Path]) -> dict[int, str]:
    try:
        return class_numbers(folders) or {}
    except DataError:  # may belong to another layout; `read` says it
        return {}


def _areas(mask: Path) -> Areas:
    values = read_classes(mask)
    if values.ndim == 3:
        raise ImageError(f"{mask} is coloured, expected class numbers: read it with the layout class_colour")
    return areas_of(values)


def _kind(mask: Path, names: Mapping[int, str]) -> bool | None:
    """Return whether a mask holds class numbers, or None where it does not tell."""
    try:
        values = read_classes(mask)
    except ImageError:
        return None
    if values.ndim == 3:
        return False
    found = set(areas_of(values)) - {0, _IGNORED}
    if found and max(found) > max([MOST_CLASSES, *names]):
        return False
    return True if found & (names.keys() or found - {1}) else None


def _made_up(root: Path, values: set[int]) -> dict[int, str]:
    if len(values) > MOST_CLASSES:
        raise DataError(
            f"the masks in {root} hold {len(values)} numbers, expected at most {MOST_CLASSES} classes: they look "
            "smoothed or lossy; save them again without, or name the classes in classes.txt"
        )
    return {value: f"class_{value}" for value in values}


READERS.register("class_index")(ClassIndexReader())
