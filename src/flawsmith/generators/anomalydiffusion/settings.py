"""Settings of AnomalyDiffusion."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from flawsmith.generators.crops.settings import CropSettings
from flawsmith.generators.denoising import DrawingSettings, UNetSettings, check_latent_sides
from flawsmith.training.settings import LoopSettings


class TokenNetSettings(UNetSettings):
    """Size of the denoising network and number of its tokens."""

    embedding: int = Field(192, ge=16, description="length of a token, and of the vector that carries noise and scale")
    type_tokens: int = Field(8, ge=1, description="tokens that say what: a learnt row per defect class")
    spatial_tokens: int = Field(4, ge=1, description="tokens that say where: what the encoder reads off the mask")
    rank: int = Field(0, ge=0, description="rank of what the second stage may add to the cross-attention; 0: nothing")


class TokenSamplingSettings(DrawingSettings):
    """How defects are drawn from the trained network."""

    guidance: float = Field(2.0, ge=0, description="classifier-free guidance: 1 is none, more exaggerates the class")
    reweighting: bool = Field(
        True, description="places that still look like the background pay more attention to the tokens"
    )
    weights: Path | None = Field(None, description="where the model built on lies now, if it has moved since the fit")


class AnomalyDiffusionSettings(CropSettings):
    """Everything AnomalyDiffusion can be told."""

    weights: Path | None = Field(
        None,
        description="folder of a latent diffusion model as diffusers saves its pipelines (Stable Diffusion 1 or 2) to "
        "build on, with side 256 to 512; without, a network is learnt on the product first",
    )
    margin: int = Field(2, ge=1, description="pixels (at the network's scale) around the mask that are repainted too")
    spatial_encoder: bool = Field(
        True, description="tokens from the mask; off, only what is blended away says where the defect is"
    )
    masked_loss: bool = Field(True, description="the second stage learns from what lies under the mask only")
    condition_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of the first stage's crops told nothing, which guidance needs"
    )
    net: TokenNetSettings = TokenNetSettings()
    loop: LoopSettings = LoopSettings(steps=2000, batch=20, learning_rate=8e-4)
    """The first stage: the whole network, on crops with and without defects. With `weights` there is none."""
    token_loop: LoopSettings = LoopSettings(steps=1000, batch=20, learning_rate=2e-3)
    """The second stage: the tokens and the mask encoder alone, on defects; with `weights`, all tokens on all crops."""
    sampling: TokenSamplingSettings = TokenSamplingSettings()

    @model_validator(mode="after")
    def _side_can_be_halved(self) -> Self:
        if self.weights is None:
            self.net.check_sides("side", self.side)
        else:
            check_latent_sides("side", self.side)
        return self
