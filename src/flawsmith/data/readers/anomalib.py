"""The folders that anomalib's `Folder` opens: normal, normal_test, abnormal/CLASS, mask/CLASS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.readers.listing import (
    MASK_FOLDERS,
    Found,
    images_in,
    label_of,
    masks_by_stem,
    subfolders,
    to_catalog,
)
from flawsmith.data.readers.registry import READERS

_NORMAL, _TESTED, _ABNORMAL = "normal", "normal_test", "abnormal"


class AnomalibReader:
    """normal/*, normal_test/*, abnormal/CLASS/* and masks of the same names in mask/CLASS/*, as anomalib has them.

    anomalib learns from `normal` and tests on the rest: that is the split declared. Without `normal_test`, the folders
    are taken for classes unless some mask/CLASS stands beside its abnormal/CLASS.

        DATA/
          normal/000.png
          normal_test/000.png
          abnormal/scratch/000.png
          mask/scratch/000.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether there is a folder normal_test, or a kind of abnormal ones that has its masks."""
        if any(images_in(root / _TESTED)):
            return True
        return any(images_in(kind) and _masks(root, kind.name) for kind in subfolders(root / _ABNORMAL))

    def read(self, root: Path) -> Catalog:
        """Read the catalog; defects without a folder of their own are called `abnormal`."""
        return to_catalog(root, "anomalib", _found(root))


def _found(root: Path) -> Iterator[Found]:
    for name, split in ((_NORMAL, "train"), (_TESTED, "test")):
        yield from (Found(name, image, GOOD, None, split) for image in images_in(root / name))
    yield from _defective(root, root / _ABNORMAL, "")
    for kind in subfolders(root / _ABNORMAL):
        yield from _defective(root, kind, kind.name)


def _defective(root: Path, folder: Path, kind: str) -> Iterator[Found]:
    masks, name = _masks(root, kind), "/".join([_ABNORMAL, kind] if kind else [_ABNORMAL])
    for image in images_in(folder):
        yield Found(name, image, label_of(kind or _ABNORMAL), masks.get(image.stem), "test")


def _masks(root: Path, kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in MASK_FOLDERS:
        found = masks_by_stem(root / name / kind) | found
    return found


READERS.register("anomalib")(AnomalibReader())
