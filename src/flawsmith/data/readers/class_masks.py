"""What masks that hold several classes share: which mask belongs to which image, and how much of what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog, MaskFile
from flawsmith.data.readers.inside import refuse_picture_outside
from flawsmith.data.readers.listing import (
    LOSSY,
    MASK_FOLDERS,
    SPLIT_FOLDERS,
    Found,
    image_folders,
    images_in,
    masks_by_stem,
    subfolders,
    to_catalog,
)

MOST_CLASSES = 64
"""More classes than this in one data set are taken for smoothed edges."""
_IMAGES = ("images", "image", "imgs", "img", "jpegimages")
_MASKS = (*MASK_FOLDERS, "labels", "annotations", "segmentationclass")
_LOOKS = 40
"""How many masks, spread over the data set, are opened to recognise it."""

Areas = dict[int, int]
"""Pixels per value of a mask."""


class Counted(NamedTuple):
    """An image with its mask, where it has one, and the areas of what is in the mask."""

    found: Found
    areas: Areas


def areas_of(values: NDArray[Any]) -> Areas:
    """Return how many pixels have each value; quick where neighbours are mostly equal, as in masks.

    >>> areas_of(np.array([[0, 0, 7], [7, 7, 2]]))
    {0: 2, 2: 1, 7: 3}
    """
    flat = values.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    found, place = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(place, weights=np.diff(starts, append=flat.size))
    return {int(value): int(count) for value, count in zip(found, counts, strict=True)}


def mask_folders(root: Path) -> list[Path]:
    """Return the folders of masks that stand beside a folder of images."""
    return [masks for _, masks, _ in _folders(root)]


def pairs(root: Path) -> Iterator[Found]:
    """Yield the images in images/ or images/SUB/ with the mask of the same name in masks/ or masks/SUB/.

    Both may lie in train/, val/ or test/, or have folders of these names in them: that declares the split.
    """
    for images, masks, above in _folders(root):
        for folder in image_folders(images):
            inner = folder.relative_to(images)
            found = masks_by_stem(masks / inner)
            split = SPLIT_FOLDERS.get((above or inner.as_posix()).casefold())
            name = "/".join(part for part in (above, *inner.parts) if part)
            for image in images_in(folder):
                yield Found(name, image, GOOD, found.get(image.stem), split)


def has_class_folders(root: Path) -> bool:
    """Return whether images/ holds folders that are no splits: then their names are likely the classes."""
    inner = (folder for images, _, _ in _folders(root) for folder in image_folders(images) if folder != images)
    return any(folder.name.casefold() not in SPLIT_FOLDERS for folder in inner)


def some_masks(root: Path) -> Iterator[Path]:
    """Yield masks that are spread evenly over the data set, enough to see of which kind they are."""
    masks = [found.mask for found in pairs(root) if found.mask and found.mask.suffix.lower() not in LOSSY]
    for mask in islice(masks, 0, None, max(1, -(-len(masks) // _LOOKS))):
        refuse_picture_outside(mask, root)
        yield mask


def counted(root: Path, areas: Callable[[Path], Areas]) -> list[Counted]:
    """Return all images with the areas in their masks; one mask is in memory at a time.

    Raises DataError where there are images, but no mask for any of them, or a mask is a link that leads out.
    """
    rows = []
    for found in pairs(root):
        if found.mask:
            refuse_picture_outside(found.mask, root)
        rows.append(Counted(found, areas(found.mask) if found.mask else {}))
    if rows and not any(row.found.mask for row in rows):
        image, masks = rows[0].found.image, mask_folders(root)[0]
        raise DataError(f"no image has its mask in {masks}: expected {image.stem}.png or alike for {image}")
    return rows


def to_class_catalog(
    root: Path,
    layout: str,
    rows: Sequence[Counted],
    names: Mapping[int, str],
    as_value: Callable[[int], int | tuple[int, int, int]],
) -> Catalog:
    """Return the catalog of images whose masks hold the classes `names` by value, each class as a mask of its own.

    An image is filed under the class that covers most of it; one without any class is good.
    """
    catalog = to_catalog(root, layout, (row.found._replace(label=_main(row, names), mask=None) for row in rows))
    masks = (_masks(row, names, as_value) for row in rows)
    return catalog.with_entries(replace(entry, masks=own) for entry, own in zip(catalog, masks, strict=True))


def main_label(labels: Iterable[tuple[str, int]]) -> str:
    """Return the label with the most pixels, the first of equals; good where there is none.

    >>> main_label([("dent", 3), ("hole", 4), ("dent", 2)])
    'dent'
    """
    totals: dict[str, int] = {}
    for label, count in labels:
        totals[label] = totals.get(label, 0) + count
    return max(totals, key=totals.__getitem__) if totals else GOOD


def _main(row: Counted, names: Mapping[int, str]) -> str:
    return main_label((names[value], count) for value, count in row.areas.items() if value in names)


def _masks(
    row: Counted, names: Mapping[int, str], as_value: Callable[[int], int | tuple[int, int, int]]
) -> tuple[MaskFile, ...]:
    if row.found.mask is None:
        return ()
    return tuple(MaskFile(row.found.mask, names[each], value=as_value(each)) for each in row.areas if each in names)


def _folders(root: Path) -> Iterator[tuple[Path, Path, str]]:
    splits = [(folder, folder.name) for folder in subfolders(root) if folder.name.casefold() in SPLIT_FOLDERS]
    for base, above in [(root, ""), *splits]:
        inner = {folder.name.casefold(): folder for folder in subfolders(base)}
        images = next((inner[name] for name in _IMAGES if name in inner), None)
        masks = next((inner[name] for name in _MASKS if name in inner), None)
        if images is not None and masks is not None:
            yield images, masks, above
