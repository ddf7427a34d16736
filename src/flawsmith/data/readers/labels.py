"""What readers of label files share: finding the images they name, telling what is wrong in them, and the catalog."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened
from typing import Any, NamedTuple

from pydantic import ValidationError

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog, MaskSource
from flawsmith.data.image_io import IMAGE_SUFFIXES
from flawsmith.data.readers.inside import inside
from flawsmith.data.readers.listing import (
    MASK_FOLDERS,
    SPLIT_FOLDERS,
    Found,
    images_in,
    subfolders,
    to_catalog,
)

_OTHER_PICTURES = (*MASK_FOLDERS, "segmentationclass", "segmentationobject")
_WORDS = re.compile(r"[a-z]+")
_SHOWN = 3


class Labelled(NamedTuple):
    """One image that a label file speaks of: its masks in the file's order, its declared split, and the file."""

    image: Path
    masks: tuple[MaskSource, ...]
    split: str | None
    source: Path


def labelled_catalog(root: Path, layout: str, found: Iterable[Labelled]) -> Catalog:
    """Return the catalog of labelled images. An image has the class of its first mask, or is good without any.

    Masks of classes named like good parts are left out. Raises DataError where an image is labelled twice.
    """
    rows = [each._replace(masks=tuple(mask for mask in each.masks if mask.label != GOOD)) for each in found]
    _check_once(rows)
    plain = [Found(_folder(root, each), each.image, _class(each.masks), None, each.split) for each in rows]
    entries = zip(to_catalog(root, layout, plain), rows, strict=True)
    return Catalog(root.resolve().name, root, layout, tuple(replace(entry, masks=row.masks) for entry, row in entries))


def _class(masks: Sequence[MaskSource]) -> str:
    return masks[0].label if masks else GOOD


def _folder(root: Path, found: Labelled) -> str:
    return "/".join(found.image.parent.relative_to(root).parts)


def _check_once(rows: Iterable[Labelled]) -> None:
    seen: dict[Path, Path] = {}
    for row in rows:
        if row.image in seen:
            places = " and ".join(dict.fromkeys([str(seen[row.image]), str(row.source)]))
            raise DataError(f"{row.image} is labelled twice, in {places}: keep one of them")
        seen[row.image] = row.source


class Pictures:
    """The images under a folder by the names that label files give them.

    A name is only ever compared with what was found by looking: no path that a label file names is opened.
    """

    def __init__(self, root: Path, below: Path | None = None) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in images_under(below or root):
            self._by_name[path.name].append(path)
            self._by_stem[path.stem].append(path)

    def find(self, name: str, source: Path) -> Path | None:
        """Return the image of a name in the label file `source`, or None.

        The name may begin at the label file's folder, or anywhere between the root and the image. Of several, the one
        in a folder of the label file's own split is meant. Raises DataError where the name leaves the root or fits
        several.
        """
        parts = inside(name, self.root, source).parts
        if not parts:
            raise DataError(f"{source} names {name!r}, expected the path of an image")
        if PurePosixPath(*parts).suffix.lower() in IMAGE_SUFFIXES:
            found = [path for path in self._by_name.get(parts[-1], ()) if path.parts[-len(parts) :] == parts]
        else:
            found = self._by_stem.get(parts[-1], [])
        beside = [path for path in found if path == source.parent.joinpath(*parts)]
        return self._only(beside or found, name, source)

    def find_stem(self, stem: str, source: Path) -> Path | None:
        """Return the image of a stem, or None. Raises DataError where several have it."""
        return self._only(self._by_stem.get(stem, []), stem, source)

    def _only(self, found: Sequence[Path], name: str, source: Path) -> Path | None:
        if len(found) > 1:
            split = split_word(source, self.root)
            found = [path for path in found if split and split_word(path.parent, self.root) == split] or found
        if len(found) > 1:
            raise DataError(f"{source} names {name!r}, which may be {found[0]} or {found[1]}: name its folder as well")
        return found[0] if found else None


def images_under(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the visible images in a folder and those below it, in natural order; pictures of masks are left out."""
    here = folder.resolve()
    if here in above:  # a link that leads back up
        return
    yield from images_in(folder)
    for inner in subfolders(folder):
        if inner.name.casefold() not in _OTHER_PICTURES:
            yield from images_under(inner, above | {here})


def split_word(path: Path, root: Path) -> str | None:
    """Return the word of a split (train, val, test …) in a path below the root: in its name, else in a folder's.

    >>> split_word(Path("a/annotations/instances_val2017.json"), Path("a"))
    'val'
    """
    for part in reversed(path.relative_to(root).parts):
        found: list[str] = [word for word in _WORDS.findall(part.casefold()) if word in SPLIT_FOLDERS]
        if found:
            return found[0]
    return None


def declared_split(*words: str | None) -> str | None:
    """Return the split that the first of some words declares, or None."""
    return next((SPLIT_FOLDERS[word] for word in words if word), None)


def check_found(missing: Sequence[str], source: Path, root: Path) -> None:
    """Raise DataError where a label file names images that are not there."""
    if missing:
        names = ", ".join(repr(name) for name in missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
        raise DataError(
            f"{source} names {len(missing)} images not in {root}: {names}; put them there, or do not name them"
        )


def head_of(file: Path, size: int = -1) -> bytes:
    """Return a file's first bytes (all by default) to look at; none where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except OSError:
        return b""


def read_label_text(file: Path) -> str:
    """Return the text of a label file. Raises DataError where it cannot be read or is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as UTF-8 text: {error}") from error


def malformed(file: Path, error: ValidationError) -> DataError:
    """Return the error that says at which key of a label file something else was expected."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(each) for each in first["loc"])
    return DataError(f"{file}{f', at {where}' if where else ''}: {first['msg']}, got {_shown(first['input'])}")


def _shown(value: Any) -> str:
    try:
        return shortened(value)
    except ValueError:  # Python writes no numbers of thousands of digits
        return "a number of thousands of digits"
