"""Encoder ticks: read from a table, carried over where the counter begins anew, turned into travel in pixels."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError
from flawsmith.data.readers.tables import read_table, read_text

COLUMN = "ticks"
_BITS = (16, 32)
_NEAR_WRAP = 8
"""A carried step is at most this part of the counter's range: larger ones are no overflow but a reset."""

Ticks = NDArray[np.float64]


class Travel(NamedTuple):
    """Where each line was taken, in pixels from the first line, forwards positive.

    `wraps` are the lines at which the counter began anew, `bits` its width where it did.
    """

    pixels: NDArray[np.float64]
    counts_up: bool
    wraps: tuple[int, ...]
    bits: int | None


def ticks_per_pixel(pixel_um: float, tick_um: float) -> float:
    """Return how many ticks of travel make one square pixel, from its size on the part and the travel per tick.

    >>> ticks_per_pixel(10.0, 2.5)
    4.0
    """
    for name, value in (("pixel", pixel_um), ("tick", tick_um)):
        if not (isfinite(value) and value > 0):
            raise DataError(f"the size of a {name} is {value} µm, expected a number above 0")
    return pixel_um / tick_um


def read_ticks(file: Path) -> Ticks:
    """Read encoder counts, one per line of the scan: bare numbers one per line, or a table with the column `ticks`.

    Raises DataError, naming the line, for a cell that is no number.
    """
    lines = [(number, line.strip()) for number, line in enumerate(read_text(file).splitlines(), 1) if line.strip()]
    if lines and re.match(r"[-+.\d]", lines[0][1]):
        return _numbers([(f"{file}, line {number}", line) for number, line in lines])
    table = read_table(file)
    if COLUMN not in table.columns:
        raise DataError(
            f"{file} has the columns {', '.join(table.columns) or 'none'}: expected bare numbers, or a column "
            f"{COLUMN!r}"
        )
    return _numbers([(row.place, row.cells[COLUMN]) for row in table.rows])


def _numbers(cells: list[tuple[str, str]]) -> Ticks:
    found = np.empty(len(cells))
    for index, (place, text) in enumerate(cells):
        try:
            found[index] = float(text)
        except ValueError:
            raise DataError(f"{place}: got {text[:40]!r}, expected an encoder count") from None
        if not isfinite(found[index]):
            raise DataError(f"{place}: got {text[:40]!r}, expected a finite encoder count")
    return found


def travel(ticks: Ticks, per_pixel: float, bits: int | None) -> Travel:
    """Return where each line was taken; a counter of `bits` (None: 16 or 32, if it looks so) may have begun anew.

    The direction in which most of the travel goes counts as forwards.
    """
    steps = np.diff(ticks)
    width = bits or _width(ticks, steps)
    wraps: NDArray[np.intp] = np.array([], int)
    if width is not None:
        carried = (steps + 2.0 ** (width - 1)) % 2.0**width - 2.0 ** (width - 1)
        begun_anew = (np.abs(carried - steps) > 1) & (np.abs(carried) <= 2.0**width / _NEAR_WRAP)
        steps, wraps = np.where(begun_anew, carried, steps), np.flatnonzero(begun_anew) + 1
    counts_up = bool(np.median(steps[steps != 0]) > 0) if steps.any() else True
    pixels = np.concatenate([[0.0], np.cumsum(steps if counts_up else -steps)]) / per_pixel
    return Travel(pixels, counts_up, tuple(map(int, wraps)), width if len(wraps) else None)


def _width(ticks: Ticks, steps: Ticks) -> int | None:
    """Return the narrowest counter that holds all counts and would explain a leap of more than half its range."""
    for bits in _BITS:
        held = ticks.max() - ticks.min() < 2.0**bits
        leaps = np.abs(steps) > 2.0**bits * (1 - 1 / _NEAR_WRAP)
        if held and leaps.any():
            return bits
    return None
