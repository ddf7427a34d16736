"""Settings of every generator that denoises with a U-Net: how large it is, and how is drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings


def no_multiple(name: str, sides: Sequence[int], step: int) -> str | None:
    """Return what is wrong with a setting's sides, not all of which are multiples of `step`; None where they are."""
    if all(side >= step and side % step == 0 for side in sides):
        return None
    return f"{name} {sides[0] if len(sides) == 1 else tuple(sides)} must be a multiple of {step}"


class UNetSettings(Settings):
    """Size of a U-Net."""

    widths: tuple[int, ...] = Field(
        (24, 48, 96, 192),
        min_length=1,
        description="channels per resolution, the first at full size after the pixel unshuffle",
    )
    blocks: int = Field(1, ge=1, description="residual blocks per resolution")
    embedding: int = Field(192, ge=16, description="length of the vector that carries noise level, class and scale")
    patch: int = Field(
        1, ge=1, description="pixel (un)shuffle at the network's ends: 2 leaves out the camera's full resolution"
    )

    def check_sides(self, name: str, *sides: int) -> None:
        """Raise ValueError, naming the setting, for sides that this network cannot halve often enough."""
        if fault := no_multiple(name, sides, self.patch * 2 ** (len(self.widths) - 1)):
            raise ValueError(f"{fault}: net.patch times 2 per further net.widths")


LATENT = 8
"""Pixels a side that a latent of Stable Diffusion stands for."""


def check_latent_sides(name: str, *sides: int) -> None:
    """Raise ValueError, naming the setting, for sides that the autoencoder of Stable Diffusion cannot shrink."""
    if fault := no_multiple(name, sides, LATENT):
        raise ValueError(
            f"{fault}, by which the autoencoder in weights shrinks pictures: "
            "Stable Diffusion works best from 256 to 512"
        )


class DrawingSettings(Settings):
    """How pictures are drawn from noise."""

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
