"""Facts of images on disk, a line each, written as they are found: a check that was stopped goes on from there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.data.checks.drift import Drift
from flawsmith.data.checks.facts import Fault, ImageFacts, MaskFacts
from flawsmith.data.checks.thumbnails import SIDE, Thumbnail
from flawsmith.data.image_io import Head


class StoredFacts:
    """The facts in a file by the id of their entry; `known` are those that stood there, `add` writes another.

    The file belongs to one state of one data set: whoever opens it sees to that. A last line that was cut off counts
    for nothing.
    """

    def __init__(self, path: Path) -> None:
        self.known: dict[str, ImageFacts] = {}
        good = 0
        with path.open("ab+") as file:
            file.seek(0)
            for line in file:
                try:
                    row = json.loads(line)
                    self.known[row["id"]] = facts_from_json(row)
                except (ValueError, KeyError, TypeError, IndexError):
                    break
                good += len(line)
            file.truncate(good)
        self._file = path.open("a", encoding="ascii")

    def add(self, id: str, facts: ImageFacts) -> None:
        """Write the facts of an entry; they are on their way to the disk when this returns."""
        self._file.write(json.dumps({"id": id, **facts_to_json(facts)}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def stored_facts(path: Path) -> Iterator[StoredFacts]:
    """Open the facts in a file, which need not exist; it is removed when the block ends without an error."""
    stored = StoredFacts(path)
    try:
        yield stored
    finally:
        stored.close()
    path.unlink()


def facts_to_json(facts: ImageFacts) -> dict[str, Any]:
    """Return plain JSON data; the thumbnail is written as base64."""
    small = facts.thumbnail
    return {
        "fault": _fault_to_json(facts.fault),
        "head": None if facts.head is None else list(facts.head),
        "brightness": facts.brightness,
        "contrast": facts.contrast,
        "thumbnail": None if small is None else base64.b64encode(small.astype("<f2").tobytes()).decode(),
        "masks": [_mask_to_json(mask) for mask in facts.masks],
    }


def facts_from_json(row: dict[str, Any]) -> ImageFacts:
    """Rebuild facts from `facts_to_json` data."""
    size_hw, *rest = row["head"] or [None]
    head = None if size_hw is None else Head((int(size_hw[0]), int(size_hw[1])), *rest)
    masks = tuple(_mask_from_json(mask) for mask in row["masks"])
    small = _thumbnail(row["thumbnail"])
    return ImageFacts(_fault_from_json(row["fault"]), head, row["brightness"], row["contrast"], small, masks)


def _thumbnail(text: str | None) -> Thumbnail | None:
    if text is None:
        return None
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float16).reshape(SIDE, SIDE)


def _fault_to_json(fault: Fault | None) -> list[str] | None:
    return None if fault is None else [fault.kind, fault.message]


def _fault_from_json(row: list[str] | None) -> Fault | None:
    return None if row is None else Fault(*row)


def _mask_to_json(mask: MaskFacts) -> dict[str, Any]:
    drifted = None if mask.drift is None else list(mask.drift)
    return {**mask.__dict__, "fault": _fault_to_json(mask.fault), "size_hw": list(mask.size_hw), "drift": drifted}


def _mask_from_json(row: dict[str, Any]) -> MaskFacts:
    drifted = None if row["drift"] is None else Drift(*row["drift"])
    found = {"fault": _fault_from_json(row["fault"]), "size_hw": tuple(row["size_hw"]), "drift": drifted}
    return MaskFacts(**{**row, **found})
