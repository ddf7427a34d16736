"""Settings of the classifying inspectors."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from flawsmith.inspectors.settings import FrameSettings, LearningSettings


class ClassifySettings(FrameSettings, LearningSettings):
    """What every classifier can be told."""


class SmallClassifySettings(ClassifySettings):
    """A network for the CPU, always from scratch."""

    width: int = Field(16, ge=4, description="channels of the first stage; they double per stage up to eight times")
    stages: int = Field(5, ge=1, description="resolutions the network works at, each half of the one before")
    learning_rate: float = Field(2e-3, gt=0)


class TimmClassifySettings(ClassifySettings):
    """A network of the package timm (`flawsmith[timm]`)."""

    backbone: str = Field("resnet18", description="name of a timm model that takes images of any size")
    weights: Path | None = Field(
        None, description="file of pretrained weights of that model (.safetensors, or .pth without code); none: scratch"
    )
