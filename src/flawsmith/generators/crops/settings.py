"""Settings of every generator that sees a crop around a defect."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

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


class CropNetSettings(Settings):
    """Size of a U-Net on crops."""

    widths: tuple[int, ...] = Field(
        (48, 96, 192),
        min_length=1,
        description="channels per resolution, the first at full crop size after the pixel unshuffle",
    )
    blocks: int = Field(1, ge=1, description="residual blocks per resolution")
    embedding: int = Field(192, ge=16, description="length of the vector that carries noise level, class and scale")
    patch: int = Field(2, ge=1, description="pixel (un)shuffle at the network's ends")

    def check_side(self, side: int) -> None:
        """Raise ValueError for a side that this network cannot halve often enough."""
        step = self.patch * 2 ** (len(self.widths) - 1)
        if side % step:
            raise ValueError(f"side {side} must be a multiple of {step}: net.patch times 2 per further net.widths")


class CropSamplingSettings(Settings):
    """How crops are drawn from noise."""

    sampler: str = Field("dpmpp_2m", description="registered name: heun, dpmpp_2m, euler, euler_ancestral")
    steps: int = Field(20, ge=1, description="noise levels")
    sigma_max: float = Field(20.0, gt=0, description="highest noise level, in units of the normalised image")
    sigma_min: float = Field(0.02, gt=0, description="lowest noise level before 0")
    guidance: float = Field(1.0, ge=0, description="classifier-free guidance: 1 is none, more exaggerates the class")

    @model_validator(mode="after")
    def _noise_must_fall(self) -> Self:
        if self.sigma_max <= self.sigma_min:
            raise ValueError(f"sigma_max {self.sigma_max} must lie above sigma_min {self.sigma_min}")
        return self
