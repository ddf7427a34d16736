"""Paths that files of strangers name: only those inside the data set's folder are followed."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened

from flawsmith.core.errors import DataError


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
