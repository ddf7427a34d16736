"""Settings of every generator that sees a crop around a defect."""

from __future__ import annotations

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry


class CropSettings(Settings):
    """What the network sees of an image, and what it is shown in training."""

    side: int = Field(64, ge=16, description="side of the square crop the network sees, in its own pixels")
    fill: float = Field(0.6, gt=0, lt=1, description="share of the side a defect may take at the coarsest scale")
    margin: int = Field(4, ge=1, description="pixels (at the network's scale) around the mask that are repainted too")
    good_share: float = Field(0.3, ge=0, lt=1, description="share of a batch that is defect-free background")
    good_images: int = Field(400, ge=1, description="defect-free images to learn the background from, at most")
    gain: float = Field(0.1, ge=0, description="contrast change of a training crop, as a share")
    symmetry: Symmetry = Field(
        "mirror",
        description="views of a crop that are trained on: as it is, mirrored both ways (grain keeps its direction), or "
        "all eight of a square (round parts, surfaces without a direction)",
    )
