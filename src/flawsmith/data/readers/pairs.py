"""Image and mask side by side, as in the magnetic tile set: CLASS/Imgs/a.jpg with CLASS/Imgs/a.png."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.readers.listing import (
    MASK_FOLDERS,
    SPLIT_FOLDERS,
    Found,
    id_folder,
    image_folders,
    images_in,
    is_good,
    pair_up,
    subfolders,
    to_catalog,
)
from flawsmith.data.readers.registry import READERS

_ONE_CLASS = "defect"
"""The label of every masked image where there are no class folders."""
_Pairs = list[tuple[Path, Path | None]]


class PairsReader:
    """a.jpg with its mask a.png (or a_mask.png) beside it, flat, in CLASS/* or in CLASS/Imgs/*.

    Where no folder is named like good parts (good, ok, free …), a folder without any mask holds the good parts.
    Without class folders, images without a mask are good.

        DATA/
          good/001.jpg
          scratch/001.jpg
          scratch/001.png
          dent/001.png
          dent/001_mask.png
    """

    goes_by = "folders"

    def recognises(self, root: Path) -> bool:
        """Return whether some image has its mask beside it."""
        return any(mask for pairs in [_pairs(root, False), *_classes(root).values()] for _, mask in pairs)

    def read(self, root: Path) -> Catalog:
        """Read the catalog; labels are the folders' names without a prefix that all share (`MT_`)."""
        flat = (Found("", image, _ONE_CLASS if mask else GOOD, mask) for image, mask in _pairs(root, False))
        return to_catalog(root, "pairs", [*flat, *_read(_classes(root))])


def _pairs(folder: Path, nested: bool) -> _Pairs:
    folders = image_folders(folder) if nested else [folder]
    return [pair for inner in folders for pair in pair_up(images_in(inner))]


def _classes(root: Path) -> dict[Path, _Pairs]:
    skipped = (*MASK_FOLDERS, *SPLIT_FOLDERS)
    folders = [folder for folder in subfolders(root) if folder.name.casefold() not in skipped]
    return {folder: pairs for folder in folders if (pairs := _pairs(folder, True))}


def _read(classes: dict[Path, _Pairs]) -> Iterator[Found]:
    short = _without_shared_prefix([folder.name for folder in classes])
    good = {name for name in short if is_good(name) or is_good(short[name])}
    if not good:
        good = {folder.name for folder, pairs in classes.items() if not any(mask for _, mask in pairs)}
    for folder, pairs in classes.items():
        label = GOOD if folder.name in good else short[folder.name]
        for image, mask in pairs:
            yield Found(id_folder(folder, image), image, label, mask)


def _without_shared_prefix(names: list[str]) -> dict[str, str]:
    shared = [letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))]
    ends = [number + 1 for number, letter in enumerate(shared) if letter in "_- "]
    cut = ends[-1] if ends and len(names) > 1 else 0
    return {name: name[cut:] or name for name in names}


READERS.register("pairs")(PairsReader())
