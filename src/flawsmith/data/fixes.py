"""A cleaned copy of a data set; the original is only read.

Left out are files that cannot be used, with their masks, and all but one of the identical images of a class. Pictures
that lie turned, or are stored in CMYK, with a palette or with transparency, are written as they are read. An image
whose mask is empty is kept as it is: its class is still right. Everything else is copied byte for byte.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from PIL.Image import fromarray

from flawsmith.core.errors import DataError, FlawsmithError
from flawsmith.core.files import sha256_json, write_bytes, write_text, written_whole
from flawsmith.core.records import Catalog, Entry, Image
from flawsmith.data.checks import Problem, printable
from flawsmith.data.image_io import image_head, read_image, write_image
from flawsmith.data.loading import identical_files, mask_content
from flawsmith.data.readers import read_catalog
from flawsmith.data.readers.groups import GROUPS_FILE

LEFT_OUT = ("unreadable", "truncated", "too_large", "link_outside", "mask_size", "broken_link")
REWRITTEN = ("exif_rotation", "cmyk", "palette", "alpha")
"""Kinds of problems that leave a file out of the copy, or have its picture written anew."""
FIXED_FILE = "fixed.csv"
_SUFFIXES = {"png": ".png", "bmp": ".bmp", "tiff": ".tif"}


@dataclass(frozen=True)
class Change:
    """One way in which the copy differs from the original: the file as it is named there, what was done, and why."""

    file: str
    change: str
    reason: str


def fix(catalog: Catalog, problems: Sequence[Problem], out: Path) -> list[Change]:
    """Write a cleaned copy of a data set, in its own layout, and return what was changed, as in its fixed.csv.

    The copy is written beside and takes the name `out` when it is whole. Raises DataError as `refuse` does.
    """
    refuse(catalog.root, out)
    beside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    changes = list(_written(catalog, problems, beside))
    write_text(beside / FIXED_FILE, _csv([("file", "change", "reason"), *(astuple(each) for each in changes)]))
    _check_readable(beside, catalog)
    if out.exists():
        out.rmdir()
    beside.rename(out)
    return changes


def _check_readable(copy: Path, catalog: Catalog) -> None:
    """Raise DataError where labels of many images in one file name images that were left out."""
    try:
        read_catalog(copy, layout=catalog.layout)
    except FlawsmithError as error:
        shutil.rmtree(copy)
        raise DataError(
            f"a cleaned copy would not be readable as {catalog.layout!r}, because labels name what has to be left out: "
            f"mend or remove those files, and their labels, by hand ({error})"
        ) from error


def refuse(root: Path, out: Path) -> None:
    """Raise DataError where a cleaned copy of `root` must not be written to `out`."""
    if out.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{out} lies inside the data folder {root}, which is never changed: choose another folder")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out} exists and is not an empty folder: choose a new one for the cleaned copy")


def _written(catalog: Catalog, problems: Sequence[Problem], out: Path) -> Iterator[Change]:
    root = catalog.root
    reasons = _left_out(catalog, problems)
    kept = [entry for entry in catalog if entry.id not in reasons]
    files = dict.fromkeys(path for entry in kept for path in _files(entry))
    anew = {each.file: each.kind for each in problems if each.kind in REWRITTEN}
    yield from _missing(catalog, reasons, files)
    for problem in problems:
        if problem.kind == "broken_link":
            yield Change(_name(problem.file, root), "left out", problem.kind)
    known = {path for entry in catalog for path in _files(entry)}
    for path in [*files, *(path for path in _files_under(root) if path not in known)]:
        yield from _copy(path, root, out, anew.get(path))
    yield from _groups(kept, root, out)


def _left_out(catalog: Catalog, problems: Iterable[Problem]) -> dict[str, str]:
    """Return why an entry is left out, by its id."""
    bad = {problem.file: problem.kind for problem in problems if problem.kind in LEFT_OUT}
    found = {entry.id: bad[path] for entry in catalog for path in reversed(_files(entry)) if path in bad}
    for entry, twin in _twins(entry for entry in catalog if entry.id not in found):
        found[entry.id] = f"identical to {printable(twin.id)}"
    return found


def _twins(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield identical images of a class that a kept one stands for: their masks are the same, or they have none."""
    for same in identical_files(entries):
        for label in {entry.label: None for entry in same}:
            first, *others = sorted((entry for entry in same if entry.label == label), key=lambda each: not each.masks)
            for other in others:
                if not other.masks or _mask_hashes(other) == _mask_hashes(first):
                    yield other, first


def _mask_hashes(entry: Entry) -> list[str]:
    return [sha256_json(mask_content(mask)) for mask in entry.masks]


def _files(entry: Entry) -> list[Path]:
    return [entry.image, *(mask.path for mask in entry.masks)]


def _files_under(root: Path) -> Iterator[Path]:
    """Yield the visible files that are no links and that the copy does not write itself."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder) / name for name in sorted(names)):
            own = path in (root / GROUPS_FILE, root / FIXED_FILE)
            if not own and not path.name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _missing(catalog: Catalog, reasons: dict[str, str], files: dict[Path, None]) -> Iterator[Change]:
    for entry in catalog:
        for path in _files(entry) if entry.id in reasons else ():
            if path not in files:
                yield Change(_name(path, catalog.root), "left out", reasons[entry.id])


def _name(path: Path, root: Path) -> str:
    """Return a file's name in the copy: its path in the data set, in valid UTF-8."""
    return printable(path.relative_to(root).as_posix())


def _copy(path: Path, root: Path, out: Path, anew: str | None) -> Iterator[Change]:
    name = _name(path, root)
    target = out / name
    if target.exists():
        raise DataError(f"{path} would take the name of another file, {name!r}: rename one of them")
    if anew is not None:
        _rewrite(path, target)
        yield Change(name, "written anew", anew)
    else:
        with written_whole(target) as beside:
            shutil.copyfile(path, beside)
    if name != path.relative_to(root).as_posix():
        yield Change(name, "renamed", "file_name")
    if path.is_symlink():
        yield Change(name, "copied as a file", "symbolic link")


def _rewrite(source: Path, target: Path) -> None:
    """Write the pixels as they are read, in the format of the file; jpg with hardly any loss."""
    image, kind = read_image(source), image_head(source).format
    if kind == "jpg":
        write_bytes(target, _jpeg(image))
        return
    beside = target.with_name(f".{target.name}{_SUFFIXES[kind]}")
    write_image(beside, image)
    beside.replace(target)


def _jpeg(image: Image) -> bytes:
    buffer = io.BytesIO()
    plain = np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)
    fromarray(plain).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def _groups(kept: Sequence[Entry], root: Path, out: Path) -> Iterator[Change]:
    """Write the groups of what was kept: a file that names images left out could not be read."""
    rows = [(_name(entry.image, root), printable(entry.group)) for entry in kept if entry.group != entry.id]
    if rows:
        write_text(out / GROUPS_FILE, _csv([("file", "group"), *rows]))
        yield Change(GROUPS_FILE, "written anew", "only the images of the copy, columns file and group")


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
