"""Settings of the joint generator."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from flawsmith.generators.crops.settings import CropSettings
from flawsmith.generators.denoising import DrawingSettings, UNetSettings
from flawsmith.training.settings import LoopSettings


class JointNetSettings(UNetSettings):
    """Size of the denoising network, and whether a second one with a small field of view takes over."""

    fine_below: float | None = Field(
        0.7,
        gt=0,
        description="noise level below which a second network takes over that sees about half a crop and has no "
        "attention; null: one network for all levels",
    )


class JointSettings(CropSettings):
    """Everything the joint generator can be told."""

    margin: int = Field(
        4, ge=1, description="pixels (at the network's scale) around the box of what is asked for that may be painted"
    )
    label_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of training crops without their class, which classifier-free guidance needs"
    )
    net: JointNetSettings = JointNetSettings()
    loop: LoopSettings = LoopSettings(steps=2000, batch=20, learning_rate=8e-4)
    sampling: DrawingSettings = DrawingSettings()

    @model_validator(mode="after")
    def _side_can_be_halved(self) -> Self:
        self.net.check_sides("side", self.side)
        return self
