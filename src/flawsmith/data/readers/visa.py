"""VisA: CATEGORY/Data/Images/{Normal,Anomaly}, masks in Data/Masks/Anomaly, kinds of defect in image_anno.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog, MaskFile
from flawsmith.data.image_io import read_classes
from flawsmith.data.readers.class_masks import areas_of, main_label
from flawsmith.data.readers.inside import refuse_picture_outside
from flawsmith.data.readers.listing import (
    SPLIT_FOLDERS,
    Found,
    images_in,
    label_of,
    masks_by_stem,
    subfolders,
    to_catalog,
)
from flawsmith.data.readers.registry import READERS
from flawsmith.data.readers.tables import Row, path_inside, read_table

_NOTES = "image_anno.csv"
_SPLITS = ("1cls.csv", "2cls_highshot.csv", "2cls_fewshot.csv")
_UNKNOWN = "anomaly"
"""The label of a defective image whose kind of defect no file names."""
_AGREED = 0.9
"""Share of images of one kind that must hold a number in their masks before the number stands for the kind."""


class _Note(NamedTuple):
    """What is known of an image: its kinds of defect (none: good), and its mask."""

    kinds: tuple[str, ...]
    mask: Path | None


class VisaReader:
    """CATEGORY/Data/Images/{Normal,Anomaly}/*, masks in Data/Masks/Anomaly/*, labels in image_anno.csv (VisA).

    Give one category's folder. The folder of all categories can be read too: a label then begins with the category
    ("pcb1 melt"). The split is declared by split_csv/1cls.csv in the folder given, or the next of 2cls_highshot.csv
    and 2cls_fewshot.csv that is there.

        pcb1/
          image_anno.csv       image,label,mask with paths from the folder above: pcb1/Data/...
          Data/Images/Normal/0000.JPG
          Data/Images/Anomaly/000.JPG
          Data/Masks/Anomaly/000.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether the folder, or folders in it, hold Data/Images/Normal or Data/Images/Anomaly."""
        return bool(_categories(root))

    def read(self, root: Path) -> Catalog:
        """Read the catalog; masks are opened only in a category where some image shows several kinds of defect.

        Such an image is filed under the kind that covers most of it. Which number in a mask stands for which kind is
        learnt from the images of one kind; where that fails, the whole mask gets the first kind named. Raises
        DataError, naming the line, where image_anno.csv leads to no file or out of the folder.
        """
        found: list[Found] = []
        masks: list[tuple[MaskFile, ...]] = []
        for folder in _categories(root):
            notes, splits = _notes(folder), _splits(root, folder)
            numbers = _numbers(notes.values())
            prefix = "" if folder == root else f"{folder.name} "
            for image, note in notes.items():
                label, files = _labelled(note, numbers)
                label = label if label == GOOD else prefix + label
                name = "/".join([*image.parent.relative_to(root).parts[:-3], image.parent.name])
                found.append(Found(name, image, label, None, splits.get(image)))
                masks.append(tuple(replace(file, label=prefix + file.label) for file in files))
        catalog = to_catalog(root, "visa", found)
        return catalog.with_entries(replace(entry, masks=own) for entry, own in zip(catalog, masks, strict=True))


def _categories(root: Path) -> list[Path]:
    return [folder for folder in (root, *subfolders(root)) if any(True for _ in _images(folder))]


def _images(folder: Path) -> Iterator[Path]:
    for kind in ("Normal", "Anomaly"):
        yield from images_in(folder / "Data" / "Images" / kind)


def _notes(folder: Path) -> dict[Path, _Note]:
    """Return every image of a category: as its folder says, or better as image_anno.csv does."""
    masks = masks_by_stem(folder / "Data" / "Masks" / "Anomaly")
    notes = {image: _by_folder(image, masks) for image in _images(folder)}
    file = folder / _NOTES
    for row in read_table(file).rows if file.is_file() else ():
        image = path_inside(folder, _from_data(row, "image"), row.place)
        if image not in notes:
            raise DataError(f"{row.place}: {image} is no image in Data/Images/Normal or Anomaly: move or remove it")
        kinds = tuple(name.strip() for name in _cell(row, "label").split(",") if name.strip())
        drawn = path_inside(folder, _from_data(row, "mask"), row.place) if row.cells.get("mask") else notes[image].mask
        notes[image] = _Note(tuple(name for name in kinds if label_of(name) != GOOD), drawn)
    for mask in (note.mask for note in notes.values() if note.mask):
        refuse_picture_outside(mask, folder)
    return notes


def _by_folder(image: Path, masks: Mapping[str, Path]) -> _Note:
    return _Note((), None) if image.parent.name == "Normal" else _Note((_UNKNOWN,), masks.get(image.stem))


def _cell(row: Row, column: str) -> str:
    if not row.cells.get(column):
        raise DataError(f"{row.place}: nothing in the column {column!r}: fill it in, or remove the line")
    return row.cells[column]


def _from_data(row: Row, column: str) -> str:
    """Return a path without the category's name before Data/, because folders get renamed."""
    name = _cell(row, column).replace("\\", "/")
    parts = PurePosixPath(name).parts
    return "/".join(parts[1:]) if len(parts) > 1 and parts[1] == "Data" else name


def _splits(root: Path, folder: Path) -> dict[Path, str]:
    files = (root / "split_csv" / name for name in _SPLITS)
    file = next((file for file in files if file.is_file()), None)
    splits: dict[Path, str] = {}
    for row in read_table(file).rows if file else ():
        if row.cells.get("object") == folder.resolve().name:
            name = _cell(row, "split").casefold()
            if name not in SPLIT_FOLDERS:
                raise DataError(f"{row.place}: unknown split {name!r}, expected train or test")
            splits[folder / _from_data(row, "image")] = SPLIT_FOLDERS[name]
    return splits


def _numbers(notes: Iterable[_Note]) -> dict[int, str]:
    """Return the kind of defect that each number in masks stands for, learnt from images of one kind."""
    notes = list(notes)
    votes: dict[int, Counter[str]] = {}
    if any(len(note.kinds) > 1 for note in notes):
        for note in notes:
            for value in _areas(note.mask) if len(note.kinds) == 1 and note.mask else ():
                votes.setdefault(value, Counter()).update(note.kinds)
    best = {value: counts.most_common(1)[0] for value, counts in votes.items()}
    return {value: kind for value, (kind, count) in best.items() if count >= _AGREED * votes[value].total()}


def _areas(mask: Path) -> dict[int, int]:
    values = read_classes(mask)
    return {} if values.ndim == 3 else {value: count for value, count in areas_of(values).items() if value}


def _labelled(note: _Note, numbers: Mapping[int, str]) -> tuple[str, tuple[MaskFile, ...]]:
    if not note.kinds:
        return GOOD, ()
    if note.mask is None:
        return note.kinds[0], ()
    areas = _areas(note.mask) if len(note.kinds) > 1 else {}
    if not areas or any(numbers.get(value) not in note.kinds for value in areas):
        return note.kinds[0], (MaskFile(note.mask, note.kinds[0], threshold=1),)
    files = tuple(MaskFile(note.mask, numbers[value], value=value) for value in areas)
    return main_label((numbers[value], count) for value, count in areas.items()), files


READERS.register("visa")(VisaReader())
