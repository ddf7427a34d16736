"""From entries on disk to samples in memory; catalogs as JSON; hashes of what a catalog holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError, ImageError
from flawsmith.core.files import read_json, sha256_file, sha256_json, write_json
from flawsmith.core.records import Catalog, Defect, Entry, Mask, MaskSource, Sample
from flawsmith.data.image_io import read_image, read_mask
from flawsmith.data.parallel import in_threads


def load_sample(entry: Entry) -> Sample:
    """Read an entry's image and masks; each mask that is not empty gives one defect.

    Raises ImageError where a file cannot be read or a mask has another size than the image.
    """
    image = read_image(entry.image)
    masks = [(file, read_mask(file, image.shape[:2])) for file in entry.masks]
    defects = tuple(Defect(file.label, mask, file.approximate) for file, mask in masks if mask.any())
    return Sample(entry.id, image, entry.label, defects)


def instances(mask: Mask) -> list[Mask]:
    """Return one mask per connected part (touching corners connect), from top to bottom.

    >>> [int(part.sum()) for part in instances(np.array([[1, 0, 1], [1, 0, 0]], bool))]
    [2, 1]
    """
    parts, count = ndimage.label(mask, structure=np.ones((3, 3), int))
    return [np.asarray(parts == number) for number in range(1, count + 1)]


def image_sha256(entry: Entry) -> str:
    """Return the SHA-256 of the entry's image file. Raises ImageError where it cannot be read."""
    return _sha256(entry.image)


def catalog_digest(catalog: Catalog) -> str:
    """Return the hash of all a catalog holds but where it lies: ids, labels, groups, images, masks, backgrounds."""
    return sha256_json(list(in_threads(_content, catalog)))


def mask_content(mask: MaskSource) -> list[Any]:
    """Return what a mask is, as plain data, but for where it lies. Raises ImageError where its picture is not there."""
    if isinstance(mask, DrawnMask):
        return [mask.label, mask.numbers_to_json()]
    marked = ["approximate"] if mask.approximate else []
    return [_sha256(mask.path), mask.label, mask.threshold, mask.value, *marked]


def identical_files(entries: Iterable[Entry]) -> list[tuple[Entry, ...]]:
    """Return the sets of two or more entries whose image files have the same bytes.

    Only files of equal size are hashed. Raises ImageError where a file cannot be read.
    """
    by_size: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_size[_size(entry.image)].append(entry)
    by_hash: dict[str, list[Entry]] = defaultdict(list)
    for entry in (each for same in by_size.values() if len(same) > 1 for each in same):
        by_hash[image_sha256(entry)].append(entry)
    return [tuple(same) for same in by_hash.values() if len(same) > 1]


def save_catalog(path: Path, catalog: Catalog) -> None:
    """Write a catalog as JSON, whole."""
    write_json(path, catalog.to_json())


def load_catalog(path: Path) -> Catalog:
    """Read a catalog that `save_catalog` wrote. Raises DataError where the file is missing or is something else."""
    try:
        return Catalog.from_json(read_json(path))
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not a readable catalog ({error!r}): make it again") from error


def _content(entry: Entry) -> list[Any]:
    masks = [mask_content(mask) for mask in entry.masks]
    painted = [] if entry.background is None else [entry.background]
    return [entry.id, entry.label, entry.group, entry.split, image_sha256(entry), masks, *painted]


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error}") from error
