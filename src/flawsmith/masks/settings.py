"""Which shapes defects get, and where they go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flawsmith.core.settings import Settings

WARPED, USER = "warped", "user"
"""Sources of shapes that are no procedure: the training masks, changed; a user's own."""


class MaskSettings(Settings):
    """Which shapes defects get, and where they go."""

    sources: dict[str, float] = {WARPED: 1.0}
    """Shares of the sources: "warped" (training masks, changed), "user", or names of procedural shapes."""
    rotate: Literal["any", "right_angles", "mirror", "none"] = "mirror"
    """How training masks may be turned, where their pose is free: "mirror" keeps the direction of grain and tool marks
    (mirrored both ways and a few degrees off), "any" suits surfaces without a direction. Set it together with
    `local.symmetry`: a defect that no example shows that way round is painted poorly."""
    pose: Literal["free", "kept", "mirrored", "around"] = "free"
    """Whether training masks leave their place: "free" ones do, "kept" ones stay where they were on the object (parts
    that always lie alike), "mirrored" ones also go to the mirrored places (parts whose halves are alike), and "around"
    turns mask and place together about the object's centre (round parts)."""
    elastic_px: float = Field(1.0, ge=0)
    """Displacement of the elastic warp, in px for a mask of 32 px, growing with its extent."""
    area_px: tuple[float, float] | None = None
    """Smallest and largest area wished for; otherwise the class's measured areas are followed."""
    size_jitter: float = Field(0.25, ge=0)
    """Spread (of the natural logarithm) of a drawn area around a measured one."""
    alone: Literal["left_out", "drawn"] = "left_out"
    """Whether shapes are drawn from a group whose masks are of another order of size than all others of its class (over
    20 times the usual area). Such masks often cover more than the defect, and few images of them would hold most of
    the synthetic defect pixels."""
    anywhere: float = Field(0.2, ge=0, le=1)
    """Share of defects placed anywhere on the object rather than where the class occurs, where their pose is free."""
