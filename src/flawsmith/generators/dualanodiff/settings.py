"""Settings of DualAnoDiff."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry, check_turns
from flawsmith.generators.denoising import DrawingSettings, UNetSettings, check_latent_sides
from flawsmith.training.settings import LoopSettings


class DualNetSettings(UNetSettings):
    """Size of the trunk that all pictures walk through."""

    widths: tuple[int, ...] = Field(
        (48, 96, 192),
        min_length=1,
        description="channels per resolution, the first at full size after the pixel unshuffle",
    )
    embedding: int = Field(192, ge=16, description="length of a token, and of the vector that carries the noise level")
    patch: int = Field(4, ge=1, description="pixel (un)shuffle at the network's ends")
    type_tokens: int = Field(4, ge=1, description="tokens that say what: a learnt row per defect class")
    rank: int = Field(
        32, ge=1, description="rank of what each branch adds to the attention of `weights` (the paper: 32)"
    )


class DualSamplingSettings(DrawingSettings):
    """How pictures are drawn from the trained network."""

    sigma_max: float = Field(40.0, gt=0, description="highest noise level, in units of pictures in [-1, 1]")
    guidance: float = Field(2.0, ge=0, description="classifier-free guidance: 1 is none, more exaggerates the class")
    composite: bool = Field(
        True,
        description="lay the defect on the photograph, which stays exact outside the feather; off, every pixel is the "
        "network's own, as the paper has it",
    )
    batch: int = Field(
        4, ge=1, description="images per network call, always filled up: it may change an image's last bits"
    )
    weights: Path | None = Field(None, description="where the model built on lies now, if it has moved since the fit")


class DualAnoDiffSettings(Settings):
    """Everything DualAnoDiff can be told."""

    weights: Path | None = Field(
        None,
        description="folder of a latent diffusion model as diffusers saves its pipelines (Stable Diffusion 1 or 2) to "
        "build on, with sides of 256 to 512; without, the network is learnt on the product alone",
    )
    size_hw: tuple[int, int] = Field((128, 128), description="height and width of the pictures the network sees")
    symmetry: Symmetry = Field(
        "none", description="views of a picture that are trained on: as it is, mirrored both ways, or all eight"
    )
    good_share: float = Field(0.3, ge=0, lt=1, description="share of a batch that is defect-free pictures")
    good_images: int = Field(400, ge=1, description="defect-free pictures to learn from, at most")
    interrelation: bool = Field(
        True, description="the two branches tell each other what they paint; off, each paints by itself"
    )
    compensation: bool = Field(
        True, description="the whole picture is told its background; off, it makes up one of its own"
    )
    margin: int = Field(2, ge=0, description="pixels (at the network's size) by which a background's hole is grown")
    condition_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of the pictures told no class, which guidance needs"
    )
    net: DualNetSettings = DualNetSettings()
    loop: LoopSettings = LoopSettings(steps=3000, batch=8, learning_rate=5e-4)
    sampling: DualSamplingSettings = DualSamplingSettings()

    @model_validator(mode="after")
    def _size_can_be_halved(self) -> Self:
        if self.weights is None:
            self.net.check_sides("size_hw", *self.size_hw)
        else:
            check_latent_sides("size_hw", *self.size_hw)
        check_turns(self.symmetry, self.size_hw)
        return self
