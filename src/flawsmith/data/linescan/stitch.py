"""Lines and ticks to an image: each row gets the same travel, what goes wrong is marked and said."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError
from flawsmith.core.records import Image
from flawsmith.data.image_io import MOST_PIXELS
from flawsmith.data.linescan.faults import findings, gaps, missing_rows
from flawsmith.data.linescan.report import LineScanReport
from flawsmith.data.linescan.resample import resample
from flawsmith.data.linescan.settings import LineScanSettings
from flawsmith.data.linescan.ticks import travel

DEFAULTS = LineScanSettings()


def stitch(
    lines: NDArray[Any], ticks: NDArray[Any], ticks_per_pixel: float, settings: LineScanSettings = DEFAULTS
) -> tuple[Image, LineScanReport]:
    """Return an image (rows, W[, C]) of one pixel of travel per row, and what was noticed on the way.

    `lines` (N, W[, C]) is uint8 or uint16 and stays so; `ticks` (N,) is the encoder's count in the middle of each
    line's exposure; `ticks_per_pixel` the travel in ticks that equals one pixel across. Row 0 lies at the first line.
    Where lines are closer than a pixel, a row is their mean weighted by travel; where they are further apart, it is
    interpolated linearly. Raises DataError where lines and ticks do not belong together or give no image.
    """
    ticks = np.asarray(ticks, np.float64)
    _check(lines, ticks, ticks_per_pixel, settings)
    track = travel(ticks, ticks_per_pixel, settings.counter_bits)
    ahead = _ahead(track.pixels)
    seen_px = track.pixels[ahead]
    rows = _rows(seen_px, lines.shape[1])
    holes = gaps(seen_px, settings)
    unseen = missing_rows(seen_px, holes, rows)
    image = resample(lines.reshape(len(lines), -1), np.flatnonzero(ahead), seen_px, rows, holes)
    image[unseen] = settings.fill
    found = findings(track, ahead, holes, rows, settings)
    report = LineScanReport(len(lines), rows, track.counts_up, found, tuple(map(int, np.flatnonzero(unseen))))
    return image.reshape(rows, *lines.shape[1:]), report


def _check(lines: NDArray[Any], ticks: NDArray[np.float64], per_pixel: float, settings: LineScanSettings) -> None:
    if lines.ndim not in (2, 3) or lines.dtype not in (np.uint8, np.uint16) or lines.size == 0:
        raise DataError(f"expected lines as (N, W) or (N, W, C) of uint8 or uint16, got {lines.shape} of {lines.dtype}")
    if ticks.shape != (len(lines),) or len(lines) < 2:
        raise DataError(
            f"{len(lines)} lines and ticks of shape {ticks.shape}: expected one tick per line, two lines or more"
        )
    if not np.isfinite(ticks).all():
        raise DataError(f"tick {int(np.argmin(np.isfinite(ticks)))} is not a finite number: leave out that line")
    if not (isfinite(per_pixel) and per_pixel > 0):
        raise DataError(f"ticks per pixel is {per_pixel}, expected a number above 0: pixel size over travel per tick")
    if settings.fill > np.iinfo(lines.dtype).max:
        raise DataError(
            f"fill is {settings.fill}, but the lines are {lines.dtype}: at most {np.iinfo(lines.dtype).max}"
        )


def _ahead(pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which lines see what no line before them has passed already."""
    return np.asarray(pixels >= np.maximum.accumulate(pixels))


def _rows(pixels: NDArray[np.float64], width: int) -> int:
    span = float(pixels[-1])
    if span < 1:
        raise DataError(
            f"the encoder moves by {span:.2f} pixels over the whole scan, expected 1 or more: is it connected, and "
            "is ticks per pixel right?"
        )
    if span * width > MOST_PIXELS:
        raise DataError(
            f"the ticks span {span:.0f} rows of {width} pixels, more than {MOST_PIXELS}: is ticks per pixel right?"
        )
    return int(span + 1e-9) + 1
