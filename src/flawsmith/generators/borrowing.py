"""Which model of others a generator is built on, and where it lies. The model itself is never copied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flawsmith.core.errors import DataError, StageError
from flawsmith.core.files import read_json, write_json
from flawsmith.nets.pipeline import pipeline_files

BASE = "base.json"
"""Lies in a fit's folder: where the model lies, and the hashes of what was read of it."""


def borrow(weights: Path | None, folder: Path) -> dict[str, str] | None:
    """Write down, in a fit's folder, the model it is built on, and return the hashes of its files; None for none.

    Raises DataError where the model is not whole, StageError where the fit was begun on another.
    """
    known = read_json(folder / BASE) if (folder / BASE).is_file() else None
    files = None if weights is None else pipeline_files(weights)
    if known is not None and known["files"] != files:
        raise StageError(
            f"{folder} was begun on the model in {known['folder']}, and not on {weights or 'none'}: give one with the "
            "same files, or fit into a new folder"
        )
    if weights is not None and known is None:
        write_json(folder / BASE, {"folder": str(weights.resolve()), "files": files})
    return files


def borrowed(folder: Path, files: Mapping[str, str] | None, moved_to: Path | None = None) -> Path | None:
    """Return where the model with these files lies that a fit was built on; None for none.

    Raises StageError where it is not there, or is not the same.
    """
    if files is None:
        return None
    if moved_to is None and not (folder / BASE).is_file():
        raise StageError(f"{folder} does not say where the model lies that it is built on (no {BASE}): fit it again")
    home = moved_to or Path(read_json(folder / BASE)["folder"])
    what_to_do = "put it back there, or name its place by sampling.weights"
    try:
        found = pipeline_files(home)
    except DataError as error:
        raise StageError(f"{folder} needs the model it is built on: {error}; {what_to_do}") from None
    changed = sorted(name for name in files if found.get(name) != files[name])
    if changed:
        raise StageError(
            f"{home} is not the model that {folder} is built on (other {', '.join(changed)}): {what_to_do}"
        )
    return home
