"""What is wrong with a data set, found before any work starts. One image is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import ImageError
from flawsmith.core.records import GOOD, Catalog, Entry, MaskSource
from flawsmith.data.image_io import image_size_hw, read_image, read_mask
from flawsmith.data.loading import identical_files

FEW_GROUPS = 3
"""A class with fewer groups cannot be in the training, validation and test part."""


@dataclass(frozen=True)
class Problem:
    """One finding: the file (or folder) it is about, its kind, and what to do.

    Kinds: unreadable, mask_size, empty_mask, identical_files, few_groups, mixed_group, box_masks. An "error" cannot be
    worked with, a "warning" should be looked at, a "note" is good to know.
    """

    file: Path
    kind: str
    message: str
    severity: Literal["error", "warning", "note"]


def check(catalog: Catalog) -> list[Problem]:
    """Return what is wrong with a data set: files first, in the catalog's order, then classes and groups."""
    problems = [problem for entry in catalog for problem in _check_files(entry)]
    missing = {problem.file for problem in problems if problem.kind == "unreadable"}
    there = catalog.with_entries(entry for entry in catalog if entry.image not in missing)
    return [
        *problems,
        *_check_identical(there),
        *_check_counts(catalog),
        *_check_groups(catalog),
        *_check_boxes(catalog),
    ]


def _check_files(entry: Entry) -> Iterator[Problem]:
    try:
        size_hw = read_image(entry.image).shape[:2]
    except ImageError as error:
        yield Problem(entry.image, "unreadable", str(error), "error")
        return
    for mask in entry.masks:
        yield from _check_mask(entry, mask, size_hw)


def _check_mask(entry: Entry, file: MaskSource, size_hw: tuple[int, int]) -> Iterator[Problem]:
    try:
        empty = not read_mask(file, size_hw).any()
    except ImageError as error:
        readable = isinstance(file, DrawnMask) or _size_hw(file.path) not in (None, size_hw)
        kind = "mask_size" if readable else "unreadable"
        yield Problem(file.path, kind, str(error), "error")
        return
    if empty and entry.label != GOOD:
        yield Problem(file.path, "empty_mask", _empty_message(entry, file), "warning")


def _size_hw(path: Path) -> tuple[int, int] | None:
    try:
        return image_size_hw(path)
    except ImageError:
        return None


def _empty_message(entry: Entry, file: MaskSource) -> str:
    seen = _why_empty(file)
    return f"the mask of the {entry.label!r} image {entry.id} is empty ({seen}): draw it, or only the class is used"


def _why_empty(file: MaskSource) -> str:
    if isinstance(file, DrawnMask):
        return f"its {file.kind} cover no pixel of the image"
    if file.value is not None:
        return f"no pixel equals {file.value}"
    highest = int(read_image(file.path).max())
    return f"its brightest pixel is {highest}, below the threshold {file.threshold}" if highest else "it is black"


def _check_identical(catalog: Catalog) -> Iterator[Problem]:
    for same in identical_files(catalog):
        names = ", ".join(entry.id for entry in same)
        labels, groups = sorted({entry.label for entry in same}), {entry.group for entry in same}
        if len(labels) > 1:
            text = f"one file under the classes {', '.join(labels)}: {names}; at most one of them is right"
            yield Problem(same[0].image, "identical_files", text, "warning")
        elif len(groups) > 1:
            text = f"one file in {len(groups)} groups: {names}; they are kept on one side of the split"
            yield Problem(same[0].image, "identical_files", text, "warning")


def _check_counts(catalog: Catalog) -> Iterator[Problem]:
    for label in (GOOD, *catalog.defect_labels):
        count = len({entry.group for entry in catalog.labelled(label)})
        if count < FEW_GROUPS and (count or label == GOOD):
            text = f"class {label!r} has {count} groups, expected at least {FEW_GROUPS} to learn, validate and test"
            yield Problem(catalog.root, "few_groups", text, "warning")


def _check_groups(catalog: Catalog) -> Iterator[Problem]:
    members: dict[str, list[Entry]] = {}
    for entry in catalog:
        members.setdefault(entry.group, []).append(entry)
    for group, entries in members.items():
        labels = sorted({entry.label for entry in entries})
        if len(labels) > 1:
            text = f"group {group!r} shows the classes {', '.join(labels)}: it counts for each of them"
            yield Problem(entries[0].image, "mixed_group", text, "note")


def _check_boxes(catalog: Catalog) -> Iterator[Problem]:
    masks = [mask for entry in catalog for mask in entry.masks]
    boxes = [mask for mask in masks if isinstance(mask, DrawnMask) and mask.approximate]
    if boxes:
        text = f"{len(boxes)} of {len(masks)} masks are drawn from boxes: they hold sound pixels too; outlines say more"
        yield Problem(boxes[0].path, "box_masks", text, "note")
