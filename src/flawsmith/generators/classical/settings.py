"""Settings of the classical generators."""

from __future__ import annotations

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry


class TurnSettings(Settings):
    """How a training defect is turned and resized before it is pasted."""

    symmetry: Symmetry = "mirror"
    """Views of a defect that are pasted: as it is, mirrored both ways, or all eight of a square."""
    rotation_deg: float = Field(15.0, ge=0, le=180)
    """Further rotation, drawn from plus and minus this."""
    least_scale: float = Field(0.8, gt=0)
    """Smallest factor by which the defect is resized."""
    most_scale: float = Field(1.25, gt=0)
    """Largest factor by which the defect is resized."""


class PasteSettings(TurnSettings):
    """Pixels pasted under a feathered edge."""

    core_px: float = Field(1.0, ge=0)
    """Distance from the defect within which the donor's pixels are taken fully."""
    feather_px: float = Field(3.0, gt=0)
    """Width beyond that over which they fade."""


class PoissonSettings(TurnSettings):
    """Gradients pasted: the donor's detail in the background's own brightness."""

    region_px: int = Field(3, ge=1)
    """The blend is solved in the defect grown by this many pixels."""


class PerlinSettings(Settings):
    """Foreign texture under a Perlin-noise mask."""

    textures: int = Field(48, ge=1)
    """Pieces of defect-free training images to draw textures from."""
    texture_side: int = Field(192, ge=16)
    """Side of such a piece, in pixels."""
    least_opacity: float = Field(0.2, ge=0, le=1)
    """Smallest share by which the texture covers the background."""
    most_opacity: float = Field(1.0, ge=0, le=1)
    """Largest share by which the texture covers the background."""
    changes: int = Field(3, ge=0, le=6)
    """Alterations (inversion, posterising, ...) applied to a texture, drawn without repeats."""


class CutPasteSettings(Settings):
    """A rectangle of the background pasted elsewhere."""

    scar_share: float = Field(0.5, ge=0, le=1)
    """Share of thin rotated rectangles; the others are upright."""
    jitter: float = Field(0.1, ge=0, le=1)
    """Largest change of the piece's brightness, contrast and colour, as a share."""


class CutMixSettings(Settings):
    """A rectangle of a defect image pasted as it is."""

    most_context: float = Field(0.5, ge=0)
    """The rectangle is the defect's box grown on each side by up to this share of its longer side."""
