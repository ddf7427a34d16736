"""Settings of the whole-image DDPM."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry, check_turns
from flawsmith.diffusion.chain import Prediction
from flawsmith.nets.unet2d import UNet2dSettings
from flawsmith.training.settings import LoopSettings


class ChainSettings(Settings):
    """How noise is added, step by step, in training."""

    steps: int = Field(14_000, ge=2, description="steps from picture to noise; 1000 is usual elsewhere")
    schedule: Literal["linear", "scaled_linear", "cosine"] = Field("linear", description="how its betas rise")
    beta_first: float = Field(1e-4, gt=0, lt=1, description="noise variance of the first step; cosine has its own")
    beta_last: float = Field(0.02, gt=0, lt=1, description="noise variance of the last step; cosine has its own")
    prediction: Prediction = Field(
        "epsilon", description="what the network gives: the noise (epsilon), the velocity (v_prediction) or the picture"
    )
    clip: bool = Field(True, description="bound estimates of the picture to its range")


class DdpmSamplingSettings(Settings):
    """How images are drawn from the trained network."""

    sampler: str = Field(
        "euler_ancestral",
        description="registered name; the paper's with all the steps. Its fresh noise mends what a network that has "
        "learnt little gets wrong early; heun and dpmpp_2m then draw wild pictures among good ones",
    )
    steps: int = Field(50, ge=1, description="noise levels; as many as the chain has, or more, takes all of its own")
    sigma_max: float | None = Field(
        80.0,
        gt=0,
        description="noise level, noise over signal, at which drawing begins: above lies nothing but noise; null "
        "begins at the chain's last step",
    )
    batch: int = Field(
        4, ge=1, description="images per network call, always filled up: it may change an image's last bits"
    )


class DdpmSettings(Settings):
    """Everything the whole-image DDPM can be told."""

    size_hw: tuple[int, int] = Field((128, 128), description="height and width of the pictures the network sees")
    classes: Literal["together", "apart"] = Field(
        "together", description="one network that is told the class, or one network per class, as the paper has it"
    )
    epochs: int | None = Field(
        None, ge=1, description="passes over the defect images (the paper: 1300); decides loop.steps where given"
    )
    symmetry: Symmetry = Field(
        "none", description="views of a picture that are trained on: as it is, mirrored both ways, or all eight"
    )
    good_images: int = Field(400, ge=1, description="defect-free images that masks are read off against, at most")
    start: Path | None = Field(
        None, description="folder of a DDPM in diffusers' layout to begin with; network and channels must be the same"
    )
    chain: ChainSettings = ChainSettings()
    net: UNet2dSettings = UNet2dSettings()
    loop: LoopSettings = LoopSettings(steps=10_400, batch=8, learning_rate=1e-4, log_every=50, channels_last=False)
    sampling: DdpmSamplingSettings = DdpmSamplingSettings()

    @model_validator(mode="after")
    def _views_must_fit(self) -> Self:
        check_turns(self.symmetry, self.size_hw)
        return self
