"""Settings of the segmenting inspector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flawsmith.inspectors.settings import LearningSettings


class SegmentSettings(LearningSettings):
    """Everything the segmenting U-Net can be told; the defaults are the full-size network of DRAEM's second half."""

    width: int = Field(64, ge=4, description="channels of the first stage; they double per stage up to eight times")
    stages: int = Field(6, ge=2, description="resolutions the network works at, each half of the one before")
    patch: int = Field(1, ge=1, description="pixel unshuffle at the entry: 2 leaves out the costly full resolution")
    crop: int | Literal["auto"] = Field(96, description="side of a training crop in pixels; auto follows the defects")
    focal_gamma: float = Field(
        0, ge=0, description="how far the loss turns from what is already right (Lin et al. 2017); 0 is cross-entropy"
    )
    off_mask_share: float = Field(0.2, ge=0, le=1, description="share of defect-free crops cut from defective images")
    unpainted: bool = Field(
        True,
        description="for each crop with a synthetic defect one of the same place without it, among the defect-free",
    )
    pool: int | Literal["auto"] = Field(
        "auto", description="side of the window whose mean decides the image score; auto is 21, less below 256 px"
    )


class SmallSegmentSettings(SegmentSettings):
    """A network for the CPU."""

    width: int = Field(16, ge=4, description="channels of the first stage; they double per stage up to eight times")
    stages: int = Field(4, ge=2, description="resolutions the network works at, each half of the one before")
    crop: int | Literal["auto"] = Field("auto", description="side of a training crop; auto follows the defects")
    learning_rate: float = Field(2e-3, gt=0)
