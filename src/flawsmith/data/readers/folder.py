"""A folder per class, with or without masks in folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flawsmith.core.records import Catalog
from flawsmith.data.readers.listing import (
    MASK_FOLDERS,
    SPLIT_FOLDERS,
    Found,
    id_folder,
    image_folders,
    images_in,
    label_of,
    masks_by_stem,
    pair_up,
    subfolders,
    to_catalog,
)
from flawsmith.data.readers.registry import READERS


class FolderReader:
    """CLASS/* or CLASS/images/*, masks in masks/CLASS/ or CLASS/masks/, the good ones in good, ok, normal, free ….

    A folder `images` above the classes (images/CLASS beside masks/CLASS) is seen through.

        DATA/
          good/001.png
          scratch/001.png
          dent/001.png
          masks/scratch/001.png
          masks/dent/001.png
    """

    goes_by = "folders"

    def recognises(self, root: Path) -> bool:
        """Return whether there are folders of images, none of them a split, and no masks beside the images."""
        folders = [inner for folder in _classes(root) for inner in image_folders(folder)]
        paired = (mask for folder in folders for _, mask in pair_up(images_in(folder)))
        return bool(folders) and not any(paired)

    def read(self, root: Path) -> Catalog:
        """Read the catalog; labels are the folders' names."""
        return to_catalog(root, "folder", (each for folder in _classes(root) for each in _read(root, folder)))


def _classes(root: Path) -> list[Path]:
    inner = subfolders(root / "images")
    base = root / "images" if any(images_in(folder) for folder in inner) and not images_in(root / "images") else root
    skipped = (*MASK_FOLDERS, *SPLIT_FOLDERS)
    return [folder for folder in subfolders(base) if folder.name.casefold() not in skipped and image_folders(folder)]


def _read(root: Path, folder: Path) -> Iterator[Found]:
    masks: dict[str, Path] = {}
    for name in MASK_FOLDERS:
        masks = masks_by_stem(root / name / folder.name) | masks_by_stem(folder / name) | masks
    for image in (image for inner in image_folders(folder) for image in images_in(inner)):
        yield Found(id_folder(folder, image), image, label_of(folder.name), masks.get(image.stem))


READERS.register("folder")(FolderReader())
