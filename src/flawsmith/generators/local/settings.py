"""Settings of the local generator."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.generators.crops.settings import CropSettings
from flawsmith.generators.denoising import UNetSettings
from flawsmith.training.settings import LoopSettings


class NetSettings(UNetSettings):
    """Size of the denoising network."""

    embedding: int = Field(
        192, ge=16, description="length of the vector that carries noise level, class, guide and scale"
    )


class SamplingSettings(Settings):
    """How defects are drawn from the trained network."""

    sampler: str = "dpmpp_2m"
    begin: Literal["example", "noise"] = Field(
        "example",
        description="what a painting begins with: a training defect laid under the mask and noised, or noise alone",
    )
    example_noise: float = Field(
        2.0,
        gt=0,
        description="noise on the training defect at the coarsest scale, in units of how strongly it stands out: more "
        "keeps less of it",
    )
    freedom: float = Field(
        8.0,
        ge=1,
        le=16,
        description="all noise on a training defect is multiplied by a factor drawn by chance, for each defect, from 1 "
        "to this: some keep more of it, some less, and where the near ones are rejected as copies the others remain",
    )
    detail_noise: float = Field(0.1, gt=0, description="noise on its detail at each finer scale, in the same units")
    steps: int = Field(12, ge=1, description="noise levels at the coarsest scale, when begun from noise")
    refine_steps: int = Field(4, ge=1, description="noise levels of every other painting")
    refine_sigma: float = Field(0.6, gt=0, description="noise at which a finer scale starts from the coarser painting")
    sigma_max: float = Field(20.0, gt=0)
    sigma_min: float = Field(0.02, gt=0)
    guidance: float = Field(1.0, ge=0, description="classifier-free guidance: 1 is none, more exaggerates the class")
    max_windows: int = Field(64, ge=1, description="finer scales that need more windows than this are left out")

    @model_validator(mode="after")
    def _noise_must_fall(self) -> Self:
        for name in ("sigma_max", "refine_sigma", "example_noise", "detail_noise"):
            if getattr(self, name) <= self.sigma_min:
                raise ValueError(f"{name} {getattr(self, name)} must lie above sigma_min {self.sigma_min}")
        return self


class LocalSettings(CropSettings):
    """Everything the local generator can be told."""

    label_dropout: float = Field(0.1, ge=0, lt=1)
    guide_dropout: float = Field(0.3, ge=0, le=1)
    start: Path | None = Field(
        None,
        description="weights of another local generator to begin with (`fit/model/local.safetensors` of a run on a "
        "similar product): what it knows of textures and noise need not be learnt again",
    )
    checkpoints: int = Field(
        0,
        ge=0,
        description="states of training that are kept beside the final weights, evenly spread; the stage quality then "
        "measures each, and the report shows quality over training",
    )
    net: NetSettings = NetSettings()
    loop: LoopSettings = LoopSettings(steps=2000, batch=20, learning_rate=8e-4)
    sampling: SamplingSettings = SamplingSettings()
