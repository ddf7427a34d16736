"""Paths that files of strangers name, and links: only those inside the data set's folder are followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened

from flawsmith.core.errors import DataError
from flawsmith.data.image_io import IMAGE_SUFFIXES


def inside(name: str, root: Path, source: Path | str) -> PurePosixPath:
    """Return a path that `source` (a file, or a place in one) names: relative as it stands there, or to the root.

    Raises DataError for one that is empty, has `..` in it, or lies outside the root.
    """
    path, home = PurePosixPath(name.replace("\\", "/")), PurePosixPath(root.absolute().as_posix())
    if path.is_absolute() and path.is_relative_to(home):
        path = path.relative_to(home)
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or not name:
        raise DataError(f"{source} names {shortened(name)}: expected a path inside {root}, without '..'")
    return path


def leaves(path: Path, root: Path) -> bool:
    """Return whether a path inside `root` is taken out of it by a symbolic link."""
    return path.is_relative_to(root) and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def refuse_links_out(root: Path) -> None:
    """Raise DataError where a folder, or a file that is no picture, is a link that leads out of `root`.

    Pictures are left to the checks, which name each that must not be opened.
    """
    for link in _links_out(root):
        if link.is_dir() or (link.exists() and link.suffix.lower() not in IMAGE_SUFFIXES):
            raise DataError(
                f"{link} is a symbolic link that leads out of the data folder, outside of which nothing is read: "
                "put what it shows there, or give the folder that holds it"
            )


def refuse_picture_outside(path: Path, root: Path) -> None:
    """Raise DataError where a picture that must be opened to read a layout is a link that leads out of `root`."""
    if path.is_symlink() and leaves(path, root):
        raise DataError(f"{path} is a symbolic link that leads out of the data folder: put the file itself there")


def _links_out(root: Path) -> Iterator[Path]:
    folders = [root] if root.is_dir() else []
    while folders:
        with os.scandir(folders.pop()) as found:
            for each in found:
                if each.is_symlink():
                    yield from (path for path in [Path(each.path)] if leaves(path, root))
                elif each.is_dir() and not each.name.startswith("."):
                    folders.append(Path(each.path))
