"""COCO (Lin et al. 2014): a JSON file of images, annotations and categories."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from flawsmith.core.drawn import FURTHEST_PX, LONGEST_RUN, DrawnMask
from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog
from flawsmith.data.readers.labels import (
    Labelled,
    Pictures,
    check_found,
    declared_split,
    head_of,
    labelled_catalog,
    malformed,
    split_word,
)
from flawsmith.data.readers.listing import label_of, subfolders
from flawsmith.data.readers.registry import READERS

_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_BOM = b"\xef\xbb\xbf"
_CODED_RUNS = re.compile(r"([P-o]{0,5}[0-O])*")
"""5 bits per character from `0`, the 6th says that more follow; 6 characters hold any length up to 2^29."""
_Id = int | str
# Bounded, because Python refuses to write numbers of thousands of digits into a message.
_Side = Annotated[int, Field(ge=0, le=FURTHEST_PX)]
_Length = Annotated[int, Field(ge=-LONGEST_RUN, le=LONGEST_RUN)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Picture(_Model):
    id: _Id
    file_name: str
    height: int | None = Field(default=None, gt=0, le=FURTHEST_PX)
    width: int | None = Field(default=None, gt=0, le=FURTHEST_PX)

    @property
    def size_hw(self) -> tuple[int, int] | None:
        return None if self.height is None or self.width is None else (self.height, self.width)


class _Runs(_Model):
    size: tuple[_Side, _Side]
    counts: str | tuple[_Length, ...]


def _way(value: Any) -> str:
    return "runs" if isinstance(value, dict | _Runs) else "polygons"


_Polygons = tuple[tuple[float, ...], ...]
_Segmentation = Annotated[Annotated[_Runs, Tag("runs")] | Annotated[_Polygons, Tag("polygons")], Discriminator(_way)]


class _Annotation(_Model):
    image_id: _Id
    category_id: _Id
    segmentation: _Segmentation | None = None
    bbox: tuple[float, float, float, float] | None = None


class _Category(_Model):
    id: _Id
    name: str = Field(min_length=1)


class _Table(_Model):
    images: tuple[_Picture, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...]


class CocoReader:
    """annotations/*.json, or *.json beside the images or in train/, val/, test/, as COCO has it.

    Polygons, run lengths (both kinds, crowds too) and, where there is neither, boxes. Images without annotations are
    good; an image with several classes has that of its first annotation. Images that no file lists are left out.

        DATA/
          annotations/train.json
          images/001.jpg
          images/002.jpg
    """

    goes_by = "labels"

    def recognises(self, root: Path) -> bool:
        """Return whether there is a JSON file with COCO's three keys."""
        return bool(_files(root))

    def read(self, root: Path) -> Catalog:
        """Read the catalog. Raises DataError, naming file and key, for what is not as COCO says."""
        files = _files(root)
        pictures = Pictures(root) if files else None
        found = (each for file in files if pictures for each in _read(file, pictures))
        return labelled_catalog(root, "coco", found)


def _files(root: Path) -> list[Path]:
    folders = [root, *subfolders(root)] if root.is_dir() else []
    found = (path for folder in folders for path in sorted(folder.glob("*.json")) if not path.name.startswith("."))
    return [path for path in found if path.is_file() and _is_table(path)]


def _is_table(path: Path) -> bool:
    content = head_of(path)
    return all(key in content for key in _KEYS)


def _read(file: Path, pictures: Pictures) -> Iterator[Labelled]:
    table = _table(file)
    masks, split = _masks(file, table), split_word(file, pictures.root)
    found = [(row, pictures.find(row.file_name, file)) for row in table.images]
    check_found([row.file_name for row, image in found if image is None], file, pictures.root)
    for row, image in found:
        if image is not None:
            declared = declared_split(split, split_word(image.parent, pictures.root))
            yield Labelled(image, tuple(masks[row.id]), declared, file)


def _table(file: Path) -> _Table:
    try:
        return _Table.model_validate_json(file.read_bytes().removeprefix(_BOM))
    except ValidationError as error:
        raise malformed(file, error) from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _masks(file: Path, table: _Table) -> dict[_Id, list[DrawnMask]]:
    """Return the masks by the id of their image."""
    labels = {each.id: label_of(each.name) for each in table.categories}
    sizes = {each.id: each.size_hw for each in table.images}
    masks: dict[_Id, list[DrawnMask]] = defaultdict(list)
    for number, row in enumerate(table.annotations):
        where = f"{file}, at annotations.{number}"
        if row.category_id not in labels:
            raise DataError(f"{where}.category_id: expected one of the categories' ids, got {row.category_id!r}")
        if row.image_id not in sizes:
            raise DataError(f"{where}.image_id: expected the id of an image, got {row.image_id!r}")
        try:
            masks[row.image_id].append(_mask(file, row, labels[row.category_id], sizes[row.image_id]))
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
    return masks


def _mask(file: Path, row: _Annotation, label: str, size_hw: tuple[int, int] | None) -> DrawnMask:
    if isinstance(row.segmentation, _Runs):
        return _run_mask(file, row.segmentation, label, size_hw)
    if row.segmentation:
        return DrawnMask(file, label, "polygons", row.segmentation, size_hw=size_hw)
    if row.bbox is None:
        raise DataError("expected a segmentation or a bbox, got neither")
    left, top, width, height = row.bbox
    return DrawnMask(file, label, "box", ((left, top, left + width, top + height),), size_hw=size_hw)


def _run_mask(file: Path, runs: _Runs, label: str, size_hw: tuple[int, int] | None) -> DrawnMask:
    if size_hw not in (None, runs.size):
        raise DataError(f"segmentation.size is {list(runs.size)}, but the image's height and width are {size_hw}")
    counts = expanded(runs.counts) if isinstance(runs.counts, str) else runs.counts
    if sum(counts) != math.prod(runs.size):
        raise DataError(f"expected run lengths of {math.prod(runs.size)} pixels in all, got {sum(counts)}")
    return DrawnMask(file, label, "runs", (counts,), size_hw=runs.size)


def expanded(text: str) -> tuple[int, ...]:
    """Return the run lengths that COCO's compressed text stands for. Raises DataError for any other text.

    From the 4th on, each is written as its difference from the one two before it.

    >>> expanded("52203")
    (5, 2, 2, 2, 5)
    """
    if not _CODED_RUNS.fullmatch(text):
        raise DataError(f"expected compressed run lengths (characters from '0' to 'o'), got {text[:20]!r}")
    counts: list[int] = []
    value = shift = 0
    for bits in (ord(character) - 48 for character in text):
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return tuple(counts)


READERS.register("coco")(CocoReader())
