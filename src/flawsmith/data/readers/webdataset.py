"""WebDataset, its shards unpacked: per image KEY.png, KEY.json and KEY.mask.png."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog, MaskFile
from flawsmith.data.readers.labels import malformed
from flawsmith.data.readers.listing import SPLIT_FOLDERS, Found, images_in, label_of, subfolders, to_catalog
from flawsmith.data.readers.registry import READERS

_MASK = ".mask.png"
_MOST_NUMBERS = 2**16 - 1
"""A mask's pixels hold no larger number."""


class _Note(BaseModel):
    """What KEY.json says of an image; other keys may stand there too."""

    model_config = ConfigDict(frozen=True)

    label: str = Field(min_length=1)
    labels: tuple[str, ...] = Field(default=(), max_length=_MOST_NUMBERS)
    split: str | None = None
    group: str | None = Field(default=None, min_length=1)


class _Told(NamedTuple):
    """An image, what is said of it, and its mask, which need not be there."""

    image: Path
    note: _Note
    mask: Path


class WebDatasetReader:
    """KEY.json with the label of KEY.png (or .jpg, .tif …), defects numbered in KEY.mask.png: shards of WebDataset.

    A shard, as it is or unpacked; several may be unpacked into one folder, or into folders in it. The number n of
    KEY.mask.png is the n-th of the `labels` in KEY.json; without `labels`, all that is not black belongs to `label`.
    Images without KEY.json are left out. `split` and `group` are optional.

        DATA/
          real_000.png
          real_000.json        {"label": "scratch", "labels": ["scratch"], "split": "train", "group": "part-17"}
          real_000.mask.png
    """

    def recognises(self, root: Path) -> bool:
        """Return whether the first image that has a JSON file of its key finds its label there, at the top."""
        first = next((image for folder in _folders(root) for image in _noted_images(folder)), None)
        return first is not None and _tells(_json(first))

    def read(self, root: Path) -> Catalog:
        """Read the catalog. Raises DataError, naming file and key, where a JSON file says something else."""
        told = [each for folder in _folders(root) for each in _told(folder)]
        found = [_found(root, each) for each in told]
        entries = zip(to_catalog(root, "webdataset", found), told, strict=True)
        return Catalog(
            root.resolve().name,
            root,
            "webdataset",
            tuple(replace(entry, group=each.note.group or entry.group, masks=_masks(each)) for entry, each in entries),
        )


def _folders(root: Path) -> list[Path]:
    return [root, *subfolders(root)]


def _noted_images(folder: Path) -> Iterator[Path]:
    keys = {path.stem for path in folder.glob("*.json") if path.is_file()}
    for image in images_in(folder) if keys else ():
        if _key(image) in keys and not image.name.endswith(_MASK):
            yield image


def _json(image: Path) -> Path:
    return image.with_name(f"{_key(image)}.json")


def _key(image: Path) -> str:
    return image.name.partition(".")[0]


def _told(folder: Path) -> Iterator[_Told]:
    for image in _noted_images(folder):
        yield _Told(image, _note(_json(image)), image.with_name(_key(image) + _MASK))


def _note(file: Path) -> _Note:
    try:
        return _Note.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise malformed(file, error) from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _tells(file: Path) -> bool:
    try:
        return bool(_note(file))
    except DataError:
        return False


def _found(root: Path, told: _Told) -> Found:
    split = SPLIT_FOLDERS.get((told.note.split or "").casefold())
    folder = told.image.parent.relative_to(root).as_posix().removeprefix(".")
    return Found(folder, told.image, label_of(told.note.label), None, split)


def _masks(told: _Told) -> tuple[MaskFile, ...]:
    label = label_of(told.note.label)
    if label == GOOD or not told.mask.is_file():
        return ()
    if not told.note.labels:
        return (MaskFile(told.mask, label, threshold=1),)
    names = ((number, label_of(name)) for number, name in enumerate(told.note.labels, start=1))
    return tuple(MaskFile(told.mask, name, value=number) for number, name in names if name != GOOD)


READERS.register("webdataset")(WebDatasetReader())
