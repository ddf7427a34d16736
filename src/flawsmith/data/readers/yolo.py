"""YOLO text labels: data.yaml names classes and folders; a text file per image holds boxes or polygons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import IMAGE_SUFFIXES
from flawsmith.data.readers.inside import inside, refuse_picture_outside
from flawsmith.data.readers.labels import (
    Labelled,
    head_of,
    images_under,
    labelled_catalog,
    malformed,
    read_label_text,
)
from flawsmith.data.readers.listing import SPLIT_FOLDERS, label_of
from flawsmith.data.readers.registry import READERS

_FILES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_DEEPEST = 20
_MARGIN = 0.01
"""How far outside the image, as a share of its side, a coordinate may lie: some tools round outwards."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    names: list[str] | dict[int, str]
    path: str | None = None
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    test: str | list[str] | None = None

    @property
    def labels(self) -> dict[int, str]:
        named = self.names if isinstance(self.names, dict) else dict(enumerate(self.names))
        return {number: label_of(name) for number, name in named.items()}

    @property
    def folders(self) -> list[tuple[str, str]]:
        """The declared split and the path of each folder or list of images."""
        rows = (("train", self.train), ("val", self.val), ("test", self.test))
        paths = [(split, [value] if isinstance(value, str) else value or []) for split, value in rows]
        return [(SPLIT_FOLDERS[split], path) for split, several in paths for path in several]


class YoloReader:
    """data.yaml (or dataset.yaml) with names and train, val, test; images/* mirrored by labels/*.txt.

    Rows of 5 numbers are boxes, longer ones polygons; both in shares of the image. Without a label file, or with an
    empty one, an image is good; one with several classes has that of its first row. An image in train and in test
    declares neither.

        DATA/
          data.yaml
          images/train/001.jpg
          labels/train/001.txt
          images/val/002.jpg
    """

    goes_by = "labels"

    def recognises(self, root: Path) -> bool:
        """Return whether data.yaml or dataset.yaml has the key names."""
        file = _file(root)
        return file is not None and b"names" in head_of(file)

    def read(self, root: Path) -> Catalog:
        """Read the catalog. Raises DataError, naming file and line or key, for what is not as YOLO says."""
        file = _file(root)
        return labelled_catalog(root, "yolo", () if file is None else _read(root, file))


def _file(root: Path) -> Path | None:
    return next((root / name for name in _FILES if (root / name).is_file()), None)


def _read(root: Path, file: Path) -> Iterator[Labelled]:
    data = _data(file)
    base = root if data.path in (None, ".", "./", "") else _existing(root, data.path or "", root, file)
    splits: dict[Path, set[str]] = {}
    for split, path in data.folders:
        for image in _images(_existing(base, path, root, file), base, root):
            splits.setdefault(image, set()).add(split)
    for image, declared in splits.items():
        label_file = _label_file(image, root)
        masks = _masks(label_file, data.labels) if label_file.is_file() else ()
        yield Labelled(image, masks, declared.pop() if len(declared) == 1 else None, file)


def _data(file: Path) -> _Data:
    text = read_label_text(file)
    try:
        _check_plain(text)
        return _Data.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise malformed(file, error) from None
    except Exception as error:  # the parser raises anything at all on a damaged file
        raise DataError(f"{file} is not readable as YAML: {error}") from error


def _check_plain(text: str) -> None:
    """Raise DataError for YAML that may take time or memory without end: aliases multiply, depth costs its square."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise DataError("it has anchors and aliases (&a, *a), expected none: write them out")
        if depth > _DEEPEST:
            raise DataError(f"it is nested more than {_DEEPEST} deep, expected names and folders")


def _existing(base: Path, name: str, root: Path, file: Path) -> Path:
    # A widespread exporter writes ../train/images and means the folder beside the file.
    name = name.replace("\\", "/").removeprefix("../")
    path = (root if Path(name).is_absolute() else base) / inside(name, root, file)
    try:
        found = path.is_dir() or path.is_file()
    except (OSError, ValueError) as error:
        raise DataError(f"{file} names {name!r}, which is no path: {error}") from None
    if not found:
        raise DataError(
            f"{file} names {name!r}, but there is no {path}: expected a folder of images, or a list of them"
        )
    refuse_picture_outside(path, root)
    return path


def _images(path: Path, base: Path, root: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from images_under(path)
        return
    for line in read_label_text(path).splitlines():
        if line.strip():
            image = _existing(base, line.strip(), root, path)
            if image.suffix.lower() not in IMAGE_SUFFIXES or not image.is_file():
                raise DataError(f"{path} names {line.strip()!r}: expected an image, one in each line")
            yield image


def _label_file(image: Path, root: Path) -> Path:
    parts = list(image.relative_to(root).parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def _masks(file: Path, labels: dict[int, str]) -> tuple[DrawnMask, ...]:
    lines = enumerate(read_label_text(file).splitlines(), start=1)
    return tuple(_mask(file, number, line.split(), labels) for number, line in lines if line.strip())


def _mask(file: Path, line: int, cells: list[str], labels: dict[int, str]) -> DrawnMask:
    try:
        number, *shares = (float(cell) for cell in cells)
        if number not in labels:
            raise DataError(f"expected a class from {sorted(labels)}, got {cells[0]}")
        if not all(-_MARGIN <= share <= 1 + _MARGIN for share in shares):
            raise DataError("expected shares of the image's sides, from 0 to 1")
        if len(shares) != 4:
            return DrawnMask(file, labels[int(number)], "polygons", (tuple(shares),), relative=True)
        x, y, width, height = shares
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return DrawnMask(file, labels[int(number)], "box", (box,), relative=True)
    except ValueError as error:
        raise DataError(f"{file}, line {line} ({' '.join(cells)[:60]!r}): {error}") from None


READERS.register("yolo")(YoloReader())
