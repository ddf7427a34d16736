"""Stitch the lines of a line-scan camera into an image file."""

from __future__ import annotations

from pathlib import Path

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_json
from flawsmith.data.image_io import read_image, write_image
from flawsmith.data.linescan import LineScanReport, LineScanSettings, read_ticks, stitch


def scan_image(
    lines: Path, ticks: Path, out: Path, ticks_per_pixel: float, settings: LineScanSettings
) -> LineScanReport:
    """Stitch an image whose rows are lines in the order of time into one with square pixels, and write it to `out`.

    What was noticed is written beside it, as `.json`. Raises DataError where `out` is an input, or lines and ticks give
    no image.
    """
    report_file = out.with_suffix(".json")
    for made in (out, report_file):
        if made.resolve() in (lines.resolve(), ticks.resolve()):
            raise DataError(f"{made} is an input: write to another file, inputs are never changed")
    image, report = stitch(read_image(lines), read_ticks(ticks), ticks_per_pixel, settings)
    write_image(out, image)
    write_json(report_file, report.to_json())
    return report
