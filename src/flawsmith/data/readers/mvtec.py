"""MVTec AD: train/good, test/CLASS, ground_truth/CLASS/NNN_mask.png."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.readers.listing import (
    SPLIT_FOLDERS,
    Found,
    id_folder,
    images_in,
    label_of,
    masks_by_stem,
    subfolders,
    to_catalog,
)
from flawsmith.data.readers.registry import READERS

_TRUTH = "ground_truth"


class MvtecReader:
    """train/good/*, test/CLASS/*, masks in ground_truth/CLASS/NNN_mask.png.

    Defect classes under train/ are read too; their masks lie in ground_truth/train/CLASS, or in ground_truth/CLASS
    where no test image of the class has the same number.

        DATA/
          train/good/000.png
          test/good/000.png
          test/scratch/000.png
          ground_truth/scratch/000_mask.png
    """

    goes_by = "folders"

    def recognises(self, root: Path) -> bool:
        """Return whether train/ or test/ hold folders of images."""
        return any(images_in(inner) for split in _splits(root) for inner in subfolders(split))

    def read(self, root: Path) -> Catalog:
        """Read the catalog; each entry declares the split of its folder. Raises DataError for a mask of two images."""
        found = (each for split in _splits(root) for inner in subfolders(split) for each in _read(root, split, inner))
        return to_catalog(root, "mvtec", found)


def _splits(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root) if folder.name.casefold() in SPLIT_FOLDERS]


def _read(root: Path, split: Path, folder: Path) -> Iterator[Found]:
    label, declared = label_of(folder.name), SPLIT_FOLDERS[split.name.casefold()]
    shared = masks_by_stem(root / _TRUTH / folder.name)
    masks = shared | masks_by_stem(root / _TRUTH / split.name / folder.name)
    for image in images_in(folder):
        mask = masks.get(image.stem) if label != GOOD else None
        if declared == "train" and mask is not None and mask == shared.get(image.stem):
            _check_owner(root, mask, image)
        yield Found(id_folder(folder, image, split.name), image, label, mask, declared)


def _check_owner(root: Path, mask: Path, image: Path) -> None:
    others = (root / split.name / image.parent.name / image.name for split in _splits(root))
    rivals = [path for path in others if path != image and path.is_file()]
    if rivals:
        raise DataError(
            f"{mask} may belong to {image} or to {rivals[0]}: put the masks of training images into "
            f"{_TRUTH}/{image.parent.parent.name}/{image.parent.name}"
        )


READERS.register("mvtec")(MvtecReader())
