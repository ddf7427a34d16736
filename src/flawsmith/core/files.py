"""Files that are whole or not there: everything is written beside and renamed. Hashes of files and of data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the name `path` only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed had begun to write under `folder`. Call it before anybody writes there."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with written_whole(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole, in its one spelling."""
    write_text(path, json_text(data))


def json_text(data: Any) -> str:
    """Return JSON as text, in one spelling: the same data always give the same text."""
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(data: Any) -> str:
    """Return the SHA-256 of JSON data in its one spelling, in hex."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_tree(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the SHA-256 of every file under `folder` by its relative POSIX path, but for names in `skip`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in skip)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def sha256_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all files of a folder."""
    return sha256_json(sha256_tree(path)) if path.is_dir() else sha256_file(path)
