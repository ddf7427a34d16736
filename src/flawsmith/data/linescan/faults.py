"""What can go wrong between a camera and an encoder, seen in the ticks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.data.linescan.report import ScanFinding, spans
from flawsmith.data.linescan.settings import LineScanSettings
from flawsmith.data.linescan.ticks import Travel

_AROUND, _ROWS_AROUND = 11, 5
"""Steps over which the usual step is taken, and rows over which lines are counted."""


def gaps(pixels: NDArray[np.float64], settings: LineScanSettings) -> NDArray[np.bool_]:
    """Return which steps between kept lines miss lines: much longer than those around, and than a pixel."""
    steps = np.diff(pixels)
    return np.asarray((steps > 1 + settings.slack) & (steps >= settings.gap * _usual(steps)))


def missing_rows(pixels: NDArray[np.float64], holes: NDArray[np.bool_], rows: int) -> NDArray[np.bool_]:
    """Return which rows lie in a gap, more than half a pixel from the lines on both sides."""
    missing = np.zeros(rows, bool)
    for step in np.flatnonzero(holes):
        first, last = _rows_inside(pixels[step], pixels[step + 1])
        missing[first:last] = True
    return missing


def findings(
    track: Travel, ahead: NDArray[np.bool_], holes: NDArray[np.bool_], rows: int, settings: LineScanSettings
) -> tuple[ScanFinding, ...]:
    """Return everything noticed, in the order of the lines."""
    found = [
        *_fast(track.pixels, ahead, holes, settings),
        *_missing(track.pixels, ahead, holes),
        *_slow(track.pixels, ahead, rows, settings),
        *_backwards(track.pixels, ahead, rows),
        *_still(track, rows, settings),
        *(ScanFinding("counter_overflow", _row(track, at, rows), (at, at + 1), track.bits or 0) for at in track.wraps),
    ]
    return tuple(sorted(found, key=lambda finding: (finding.lines, finding.kind)))


def _usual(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the steps around each, those of no travel left out."""
    moving = steps > 0
    usual = np.zeros_like(steps)
    if moving.any():
        usual[moving] = ndimage.median_filter(steps[moving], _AROUND, mode="reflect")
    return usual


def _rows_inside(before: float, after: float) -> tuple[int, int]:
    return int(np.floor(before + 0.5 + 1e-9)) + 1, int(np.ceil(after - 0.5 - 1e-9))


def _row(track: Travel, line: int, rows: int) -> tuple[int, int]:
    row = int(_nearest(track.pixels[line], rows))
    return row, row + 1


def _nearest(pixels: Any, rows: int) -> NDArray[np.int64]:
    return np.clip(np.floor(np.asarray(pixels) + 0.5), 0, rows - 1).astype(np.int64)


def _fast(
    pixels: NDArray[np.float64], ahead: NDArray[np.bool_], holes: NDArray[np.bool_], settings: LineScanSettings
) -> Iterator[ScanFinding]:
    number, steps = np.flatnonzero(ahead), np.diff(pixels[ahead])
    for first, last in spans((steps > 1 + settings.slack) & ~holes):
        begin, end = pixels[number[first]], pixels[number[last]]
        rows = int(np.floor(begin)), int(np.floor(end + 1e-9)) + 1
        yield ScanFinding(
            "too_fast", rows, (int(number[first]), int(number[last]) + 1), round(float(steps[first:last].max()), 3)
        )


def _missing(pixels: NDArray[np.float64], ahead: NDArray[np.bool_], holes: NDArray[np.bool_]) -> Iterator[ScanFinding]:
    number, steps = np.flatnonzero(ahead), np.diff(pixels[ahead])
    usual = _usual(steps)
    for step in np.flatnonzero(holes):
        rows = _rows_inside(pixels[number[step]], pixels[number[step + 1]])
        lost = max(1, round(float(steps[step] / usual[step])) - 1)
        yield ScanFinding("missing_lines", rows, (int(number[step]), int(number[step + 1]) + 1), lost)


def _slow(
    pixels: NDArray[np.float64], ahead: NDArray[np.bool_], rows: int, settings: LineScanSettings
) -> Iterator[ScanFinding]:
    counted = ahead.copy()
    for first, last in _still_runs(pixels, settings):
        counted[first + 1 : last] = False
    number = np.flatnonzero(counted)
    row = _nearest(pixels[counted], rows)
    counts = np.bincount(row, minlength=rows).astype(float)
    per_row = ndimage.uniform_filter1d(counts, _ROWS_AROUND, mode="nearest")
    for first, last in spans(per_row > settings.most_lines_per_pixel):
        inside = number[(row >= first) & (row < last)]
        lines = int(inside[0]), int(inside[-1]) + 1
        yield ScanFinding("too_slow", (first, last), lines, round(float(per_row[first:last].mean()), 3))


def _backwards(pixels: NDArray[np.float64], ahead: NDArray[np.bool_], rows: int) -> Iterator[ScanFinding]:
    for first, last in spans(~ahead):
        low, high = float(pixels[first:last].min()), float(pixels[first - 1])
        seen = _nearest([low, high], rows) + np.array([0, 1])
        yield ScanFinding("backwards", (int(seen[0]), int(seen[1])), (first, last), round(high - low, 3))


def _still(track: Travel, rows: int, settings: LineScanSettings) -> Iterator[ScanFinding]:
    for first, last in _still_runs(track.pixels, settings):
        yield ScanFinding("standing_still", _row(track, first, rows), (first, last), last - first)


def _still_runs(pixels: NDArray[np.float64], settings: LineScanSettings) -> list[tuple[int, int]]:
    """Return the runs of lines (half open) at one tick that are longer than what the encoder's coarseness explains."""
    usual = len(pixels) / len(np.unique(pixels))
    runs = [(first, last + 1) for first, last in spans(np.diff(pixels) == 0)]
    return [(first, last) for first, last in runs if last - first > max(settings.most_still, 4 * usual)]
