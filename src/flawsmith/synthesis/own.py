"""What a user may give: masks of their own, and the region of interest in which defects may lie."""

from __future__ import annotations

from pathlib import Path

from flawsmith.core.errors import DataError
from flawsmith.core.records import Mask, MaskFile
from flawsmith.data.image_io import image_size_hw, read_mask

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


def read_own_masks(folder: Path) -> list[Mask]:
    """Return the masks (HW bool, 128 and above is defect) in a folder, by name. Raises DataError if there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"no masks in {folder}: expected at least one of {', '.join(SUFFIXES)}, white on the defect")
    return [read_mask(MaskFile(path, "own"), image_size_hw(path)) for path in paths]


def read_region(path: Path, size_hw: tuple[int, int]) -> Mask:
    """Return the region of interest (HW bool), white in the picture at `path`, for images of `size_hw`.

    Raises DataError when the sizes differ or the region is empty.
    """
    region = read_mask(MaskFile(path, "region of interest"), size_hw)
    if not region.any():
        raise DataError(f"the region of interest {path} is empty: paint white where defects may lie")
    return region
