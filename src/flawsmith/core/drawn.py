"""Masks that a label file gives in numbers: outlines, run lengths and boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from flawsmith.core.errors import DataError

Kind = Literal["polygons", "runs", "box"]
FURTHEST_PX = 10_000_000
"""No corner lies further than this from the image's own corner, and no image has a longer side."""
LONGEST_RUN = FURTHEST_PX**2
"""No run of pixels is longer than the largest image."""
FURTHEST_SHARE = 10
"""The same for coordinates that are shares of the image's sides."""


@dataclass(frozen=True)
class DrawnMask:
    """A mask of one defect instance of the class `label`, in numbers that stand in the label file `path`.

    `numbers` are, by `kind`:

    - "polygons": one or more closed outlines (x0, y0, x1, y1, ...) of at least 3 corners. The mask is what any of them
      encloses, each by the even-odd rule.
    - "runs": one tuple, the lengths of runs down the columns from left to right, beginning with a run outside the mask.
      What they do not reach is outside.
    - "box": one half-open box (x0, y0, x1, y1), which is drawn filled.

    Coordinates are pixels (the pixel in row r and column c covers [c, c + 1] x [r, r + 1]), or with `relative` shares
    of the image's width and height. `size_hw` is the size of the image they are for, where the label file says it.
    """

    path: Path
    label: str
    kind: Kind
    numbers: tuple[tuple[float, ...], ...]
    relative: bool = False
    size_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise DataError("a mask has a class, got an empty name")
        if self.kind not in get_args(Kind):
            raise DataError(f"a drawn mask is one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        if not self.numbers or (self.kind != "polygons" and len(self.numbers) != 1):
            raise DataError(
                f"expected the numbers of a mask of kind {self.kind!r}, got {len(self.numbers)} rows of them"
            )
        for row in self.numbers:
            _CHECKS[self.kind](row)
            if self.kind != "runs":
                _check_coordinates(row, FURTHEST_SHARE if self.relative else FURTHEST_PX)

    @property
    def approximate(self) -> bool:
        """Whether the mask is drawn from a box, and so holds sound pixels as well."""
        return self.kind == "box"

    def numbers_to_json(self) -> dict[str, Any]:
        """Return all but path and label as plain JSON data, each row of numbers as one text."""
        number = int if self.kind == "runs" else float
        rows = [" ".join(repr(number(each)) for each in row) for row in self.numbers]
        size = None if self.size_hw is None else list(self.size_hw)
        return {"kind": self.kind, "numbers": rows, "relative": self.relative, "size_hw": size}

    @classmethod
    def from_json(cls, path: Path, data: Mapping[str, Any]) -> DrawnMask:
        """Rebuild a mask from its path, its label and `numbers_to_json` data."""
        number = int if data["kind"] == "runs" else float
        rows = tuple(tuple(number(each) for each in row.split()) for row in data["numbers"])
        size = None if data["size_hw"] is None else (int(data["size_hw"][0]), int(data["size_hw"][1]))
        return cls(path, data["label"], data["kind"], rows, data["relative"], size)


def _check_outline(row: tuple[float, ...]) -> None:
    if len(row) < 6 or len(row) % 2:
        raise DataError(f"an outline is x0, y0, x1, y1, ... of at least 3 corners, got {len(row)} numbers")


def _check_runs(row: tuple[float, ...]) -> None:
    wrong = next((number for number in row if not isinstance(number, int) or number < 0), None)
    if wrong is not None:
        raise DataError(f"run lengths are whole numbers from 0, got {wrong!r}")
    if any(number > LONGEST_RUN for number in row):
        raise DataError(f"run lengths are at most {LONGEST_RUN}, got a longer one")


def _check_box(row: tuple[float, ...]) -> None:
    if len(row) != 4:
        raise DataError(f"a box is x0, y0, x1, y1, got {len(row)} numbers")
    if not (row[0] < row[2] and row[1] < row[3]):
        raise DataError(f"a box has x0 < x1 and y0 < y1, got x {row[0]:g} to {row[2]:g} and y {row[1]:g} to {row[3]:g}")


def _check_coordinates(row: tuple[float, ...], furthest: float) -> None:
    wrong = next((number for number in row if not math.isfinite(number) or abs(number) > furthest), None)
    if wrong is not None:
        raise DataError(f"coordinates are numbers of at most {furthest}, got {wrong!r}")


_CHECKS = {"polygons": _check_outline, "runs": _check_runs, "box": _check_box}
