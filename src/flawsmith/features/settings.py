"""Settings of the feature network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry

Net = Literal["in_domain", "inception", "vgg", "none"]


class FeatureSettings(Settings):
    """Which network looks at the crops, and how the in-domain one is trained."""

    net: Net = Field(
        "in_domain",
        description="what looks at the crops: a small network trained on the training part to tell its classes, "
        "Inception v3 or VGG-16 from a file, or none",
    )
    weights: Path | None = Field(
        None,
        description=".safetensors or .pth of Inception v3 or VGG-16; for in_domain `quality/net/features.safetensors` "
        "of another run, which is then used instead of training a new one",
    )
    lpips_weights: Path | None = Field(None, description="LPIPS's linear weights for VGG-16; without, channels count 1")
    margin: float = Field(0.5, ge=0, description="surroundings of a defect in its crop, as a share of its longer side")
    least_px: int = Field(24, ge=8, description="smallest side of a crop in the camera's pixels")
    side: int = Field(64, ge=16, description="side to which crops are brought for the in-domain network")
    widths: tuple[int, ...] = Field((24, 48, 96, 128), description="channels per stage of the in-domain network")
    steps: int = Field(400, ge=1, description="optimiser steps of the in-domain network")
    batch: int = Field(32, ge=2, description="crops per step, of every class as many")
    learning_rate: float = Field(2e-3, gt=0, description="the highest of its training")
    symmetry: Symmetry = Field("mirror", description="views of a crop the in-domain network is trained on")
    seed: int = Field(0, description="decides the in-domain network and the crops of good parts")

    @model_validator(mode="after")
    def _files_must_fit(self) -> Self:
        if self.net in ("inception", "vgg") and self.weights is None:
            raise ValueError(f"net {self.net!r} needs a file of its weights: set quality.weights")
        if self.lpips_weights is not None and self.net != "vgg":
            raise ValueError(f"lpips_weights belong to net 'vgg', got {self.net!r}")
        return self
