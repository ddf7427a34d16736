"""What readers share: which files are images, which folder holds good parts, and how ids are made."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from flawsmith.core.records import GOOD, Catalog, Entry, MaskFile
from flawsmith.data.image_io import IMAGE_SUFFIXES
from flawsmith.data.natural import natural_key

GOOD_NAMES = frozenset(
    {"good", "ok", "normal", "free", "pass", "io", "healthy", "undamaged", "flawless", "faultless", "without_defect"}
    | {"no_defect", "no_defects", "nodefect", "defect_free", "defectfree"}
    | {"non_defect", "non_defective", "nondefective"}
)
MASK_FOLDERS = ("masks", "mask", "ground_truth", "groundtruth", "gt")
SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "train", "valid": "train", "validation": "train"} | {
    "test": "test",
    "testing": "test",
}
"""Folder names that declare a split, and the split they declare."""
_IMAGE_FOLDERS = ("images", "image", "imgs", "img")
_MASK_ENDING = re.compile(r"[_\-. ](mask|gt|label|groundtruth)$", re.IGNORECASE)
LOSSY = (".jpg", ".jpeg")
"""Suffixes of files that cannot be masks, because their pixels are not what was drawn."""
_SUFFIX_RANK = {".jpg": 0, ".jpeg": 0, ".tif": 1, ".tiff": 1, ".bmp": 2, ".png": 3}
"""Of two files with one stem, the photograph is the one with the lower rank."""


class Found(NamedTuple):
    """One image that a reader found: its folder as written in ids, its label, mask and declared split."""

    folder: str
    image: Path
    label: str
    mask: Path | None = None
    split: str | None = None


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders inside `folder` in natural order; none where it is no folder."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(found, key=lambda path: natural_key(path.name))


def images_in(folder: Path) -> list[Path]:
    """Return the visible image files directly inside `folder` in natural order; none where it is no folder."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural_key(path.name))


def image_folders(folder: Path) -> list[Path]:
    """Return `folder` and its subfolders (but those for masks) that directly hold images."""
    inner = [path for path in subfolders(folder) if path.name.casefold() not in MASK_FOLDERS]
    return [path for path in (folder, *inner) if images_in(path)]


def is_good(name: str) -> bool:
    """Return whether a folder of this name holds good parts.

    >>> is_good("Defect-Free"), is_good("scratch")
    (True, False)
    """
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") in GOOD_NAMES


def label_of(name: str) -> str:
    """Return the label of a class folder: its name, or `GOOD`."""
    return GOOD if is_good(name) else name


def masks_by_stem(folder: Path) -> dict[str, Path]:
    """Return the mask files in `folder` by the stem of the image they belong to (`003_mask.png` belongs to `003`)."""
    return {_MASK_ENDING.sub("", path.stem): path for path in images_in(folder)}


def pair_up(files: Sequence[Path]) -> list[tuple[Path, Path | None]]:
    """Return each image with the mask that lies beside it (`a.jpg` with `a.png` or `a_mask.png`), or None.

    >>> [(image.name, mask and mask.name) for image, mask in pair_up([Path("a.jpg"), Path("a.png"), Path("b.jpg")])]
    [('a.jpg', 'a.png'), ('b.jpg', None)]
    """
    stems = {path.stem for path in files}
    bases = {path: _MASK_ENDING.sub("", path.stem) for path in files}
    named = {base: path for path, base in bases.items() if base != path.stem and base in stems}
    same: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if path not in named.values():
            same[path.stem].append(path)
    return [pair for stem, group in same.items() for pair in _pairs_of(group, named.get(stem))]


def _pairs_of(group: list[Path], mask: Path | None) -> list[tuple[Path, Path | None]]:
    ranked = sorted(group, key=lambda path: _SUFFIX_RANK[path.suffix.lower()])
    first, last = ranked[0].suffix.lower(), ranked[-1].suffix.lower()
    if mask is None and last not in LOSSY and _SUFFIX_RANK[first] < _SUFFIX_RANK[last]:
        mask = ranked.pop()
    return [(image, mask) for image in ranked]


def id_folder(class_folder: Path, image: Path, prefix: str = "") -> str:
    """Return the folder part of an image's id: the class folder and what lies between, but for `images` and alike."""
    between = [part for part in image.parent.relative_to(class_folder).parts if part.casefold() not in _IMAGE_FOLDERS]
    return "/".join([*([prefix] if prefix else []), class_folder.name, *between])


def to_catalog(root: Path, layout: str, found: Iterable[Found]) -> Catalog:
    """Return the catalog of what was found; every image is a group of its own. Good images lose their masks."""
    found = list(found)
    ids = [f"{each.folder}/{each.image.stem}".lstrip("/") for each in found]
    for _ in range(2):  # a name with its suffix may in turn be another file's stem
        counts = Counter(ids)
        full = (f"{each.folder}/{each.image.name}".lstrip("/") for each in found)
        ids = [long if counts[short] > 1 else short for short, long in zip(ids, full, strict=True)]
    entries = (_entry(id, each) for id, each in zip(ids, found, strict=True))
    return Catalog(root.resolve().name, root, layout, tuple(entries))


def _entry(id: str, found: Found) -> Entry:
    masked = found.mask is not None and found.label != GOOD
    masks = (MaskFile(found.mask, found.label),) if masked and found.mask else ()
    return Entry(id, found.image, found.label, id, masks, found.split)
