"""What the demo world can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flawsmith.core.settings import Settings


class DemoSettings(Settings):
    """Size and difficulty of a demo data set of machined metal."""

    size_hw: tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]] = (128, 128)
    """Height and width of a picture in pixels, at least 32 each; defects grow with the shorter side."""
    good: int = Field(120, ge=1)
    """Parts without a defect."""
    per_class: int = Field(24, ge=1)
    """Parts with a defect, per class."""
    most_shots: int = Field(3, ge=1)
    """Each part is photographed once to this often; its shots share a group."""
    channels: Literal[1, 3] = 3
    depth: Literal[8, 16] = 8
    """Bits per channel."""
    faint_share: float = Field(1 / 3, ge=0, le=1)
    """Share of the defects whose contrast is near the grain's own."""
    turned_share: float = Field(0.35, ge=0, le=1)
    """Share of the parts that are turned (curved grain and feed marks); the others are brushed straight."""
    grain_spread_deg: float = Field(90, ge=0, le=90)
    """Straight grain lies within this angle of the horizontal, as where parts sit in a fixture; 90 is any direction."""
    line_width: float = Field(1, gt=0)
    """Width of cracks and scratches, as a multiple of the finest that the camera resolves."""
    seed: int = 0
