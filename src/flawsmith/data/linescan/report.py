"""What was noticed while a line scan was stitched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {
    "too_fast": "lines are further apart than a pixel: resolution is lost there",
    "too_slow": "more lines than pixels: they were averaged, nothing is lost",
    "missing_lines": "the encoder went on without lines: these rows were not seen and hold the fill value",
    "backwards": "the encoder ran backwards: lines of travel already seen were left out",
    "standing_still": "the encoder stood still: lines of one place were averaged",
    "counter_overflow": "the encoder's counter began anew: carried over",
}
"""Every kind of finding and what it means."""


@dataclass(frozen=True)
class ScanFinding:
    """One thing noticed: its kind (of KINDS), the image rows and the lines concerned, both half open, and a number.

    `amount` is, by kind: the widest step in pixels (too_fast), the mean number of lines per pixel (too_slow), the
    number of lines missing, the pixels travelled backwards, the number of lines standing still, the counter's bits.
    """

    kind: str
    rows: tuple[int, int]
    lines: tuple[int, int]
    amount: float

    def __str__(self) -> str:
        return f"rows {self.rows[0]} to {self.rows[1] - 1}: {self.kind} ({self.amount:g}): {KINDS[self.kind]}"


@dataclass(frozen=True)
class LineScanReport:
    """A stitched scan: how many lines became how many rows, which way the encoder counted, and what was noticed.

    `missing_rows` are the rows that no line has seen.
    """

    lines: int
    rows: int
    counts_up: bool
    findings: tuple[ScanFinding, ...]
    missing_rows: tuple[int, ...]

    def of(self, kind: str) -> tuple[ScanFinding, ...]:
        """Return the findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def spans(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs of True as half-open pairs.

    >>> spans(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
