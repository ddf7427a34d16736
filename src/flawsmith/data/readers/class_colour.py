"""Masks with a colour per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from flawsmith.core.errors import DataError, ImageError
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import read_classes, read_image
from flawsmith.data.readers.class_masks import (
    MOST_CLASSES,
    Areas,
    Counted,
    areas_of,
    counted,
    has_class_folders,
    mask_folders,
    some_masks,
    to_class_catalog,
)
from flawsmith.data.readers.class_names import class_colours, is_background
from flawsmith.data.readers.registry import READERS

_BLACK, _WHITE = 0x000000, 0xFFFFFF
EDGE_SHARE = 0.05
"""Colours below this share of what is marked in a mask come from smoothed edges (a mask that was resized)."""


class ClassColourReader:
    """images/*, masks of the same names in masks/* with a colour per class (black is background).

    Both may lie in train/ and test/, or have folders inside. Names come from colours.csv, classes.csv (name,r,g,b) or
    labelmap.txt (name:r,g,b) beside, else a class is called by its colour, as #ff0000.

        DATA/
          colours.csv          name,r,g,b and below: scratch,255,0,0
          images/001.jpg
          images/002.jpg
          masks/001.png        red where the scratch is
          masks/002.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether masks are coloured, or hold a colour that a file names."""
        folders = [root, *mask_folders(root)]
        names = class_colours(folders) if len(folders) > 1 else {}
        if len(folders) == 1 or (names is None and has_class_folders(root)):
            return False
        kinds = (_kind(mask, names) for mask in some_masks(root))
        return next((kind for kind in kinds if kind is not None), False)

    def read(self, root: Path) -> Catalog:
        """Read the catalog; every mask is opened once. Raises ImageError for a mask that is damaged or of 16 bits.

        Colours that no file names are left out of a mask where they cover less than `EDGE_SHARE` of what is marked,
        and raise DataError where they cover more. Without a file, a colour is a class where it covers that share
        of some mask.
        """
        names = class_colours([root, *mask_folders(root)])
        rows = counted(root, _areas)
        background = _background(rows, names or {})
        if names is None:
            names = _made_up(root, rows, background)
        else:
            for row in rows:
                _check_named(row, names, background)
        defects = {colour: name for colour, name in names.items() if not is_background(name)}
        return to_class_catalog(root, "class_colour", rows, defects, _rgb)


def _areas(mask: Path) -> Areas:
    image = read_image(mask)
    if image.dtype != np.uint8:
        raise ImageError(f"{mask}: expected colours of 8 bits per channel, got {image.dtype}: save it with 8 bits")
    red, green, blue = (image[..., channel % image.shape[2]].astype(np.uint32) for channel in range(3))
    return areas_of(red << 16 | green << 8 | blue)


def _kind(mask: Path, names: Mapping[int, str] | None) -> bool | None:
    """Return whether a mask has a colour per class, or None where it does not tell."""
    try:
        if names is None:
            return True if read_classes(mask).ndim == 3 else None
        found = set(_areas(mask)) - {_BLACK}
    except ImageError:
        return None
    return not found.isdisjoint(names) if found else None


def _background(rows: Sequence[Counted], names: Mapping[int, str]) -> int:
    """White is the background where no mask holds black and no file says otherwise."""
    if names or any(_BLACK in row.areas for row in rows) or not any(_WHITE in row.areas for row in rows):
        return _BLACK
    return _WHITE


def _made_up(root: Path, rows: Sequence[Counted], background: int) -> dict[int, str]:
    found = set[int]()
    for row in rows:
        marked = {colour: count for colour, count in row.areas.items() if colour != background}
        found |= {colour for colour, count in marked.items() if count >= EDGE_SHARE * sum(marked.values())}
    if len(found) > MOST_CLASSES:
        raise DataError(
            f"the masks in {root} hold {len(found)} colours, expected at most {MOST_CLASSES} classes: they look "
            "smoothed or lossy; save them again without, or name the colours in colours.csv"
        )
    return {colour: _hex(colour) for colour in sorted(found)}


def _check_named(row: Counted, names: Mapping[int, str], background: int) -> None:
    sound = {background, *(colour for colour, name in names.items() if is_background(name))}
    marked = {colour: count for colour, count in row.areas.items() if colour in names or colour not in sound}
    unnamed = {colour: count for colour, count in marked.items() if colour not in names}
    share = sum(unnamed.values()) / max(1, sum(marked.values()))
    if share >= EDGE_SHARE:
        raise DataError(
            f"{row.found.mask}: {share:.0%} of what is marked has colours without a name, most of it "
            f"{_hex(max(unnamed, key=unnamed.__getitem__))}: name it in the colour file, or save the mask unsmoothed"
        )


def _hex(colour: int) -> str:
    return f"#{colour:06x}"


def _rgb(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


READERS.register("class_colour")(ClassColourReader())
