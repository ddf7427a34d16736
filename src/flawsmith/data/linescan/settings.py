"""What counts as a fault of a line scan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flawsmith.core.settings import Settings


class LineScanSettings(Settings):
    """Limits beyond which a scan is said to be too fast, too slow or broken, and what is put where nothing was seen."""

    slack: Annotated[float, Field(ge=0)] = 0.25
    """Share of a pixel by which lines may be further apart than one pixel before resolution counts as lost."""
    gap: Annotated[float, Field(gt=1)] = 1.75
    """A step of so many times the steps around it, and of more than a pixel and the slack, misses lines."""
    most_lines_per_pixel: Annotated[float, Field(ge=1)] = 4.0
    """More lines than this in one pixel are more than are needed: the scan is slow."""
    most_still: Annotated[int, Field(ge=2)] = 10
    """More lines than this at one tick, and more than four times the usual number, count as standing still."""
    counter_bits: Literal[16, 32] | None = None
    """Width of the encoder's counter; found by looking where not given."""
    fill: Annotated[int, Field(ge=0)] = 0
    """Pixel value of rows that no line has seen."""
