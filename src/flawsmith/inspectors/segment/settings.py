"""Settings of the segmenting inspector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry


class SegmentSettings(Settings):
    """Everything the segmenting U-Net can be told; the defaults are the full-size network of DRAEM's second half."""

    width: int = Field(64, ge=4, description="channels of the first stage; they double per stage up to eight times")
    stages: int = Field(6, ge=2, description="resolutions the network works at, each half of the one before")
    patch: int = Field(1, ge=1, description="pixel unshuffle at the entry: 2 leaves out the costly full resolution")
    crop: int | Literal["auto"] = Field(96, description="side of a training crop in pixels; auto follows the defects")
    batch: int = Field(16, ge=2, description="crops per step, half of them free of defects")
    steps: int = Field(4000, ge=1)
    cycle: int = Field(1000, ge=1, description="steps in which the learning rate rises and falls once")
    learning_rate: float = Field(1e-3, gt=0)
    focal_gamma: float = Field(
        0, ge=0, description="how far the loss turns from what is already right (Lin et al. 2017); 0 is cross-entropy"
    )
    synthetic_share: float = Field(0.25, ge=0, le=1, description="share of the defect crops that is synthetic")
    off_mask_share: float = Field(0.2, ge=0, le=1, description="share of defect-free crops cut from defective images")
    brightness: float = Field(0.1, ge=0, description="largest shift of a crop, as a share of the full range")
    contrast: float = Field(0.1, ge=0, description="largest change of a crop's contrast, as a share")
    augment: float = Field(
        0, ge=0, le=1, description="strength of standard augmentation: camera position and light, beyond the above"
    )
    symmetry: Symmetry = Field(
        "mirror",
        description="views of a crop that are trained on: as it is, mirrored both ways (grain keeps its direction), or "
        "all eight of a square",
    )
    cache_mb: int = Field(1500, ge=0, description="images kept in memory; the rest is read again when needed")
    pool: int | Literal["auto"] = Field(
        "auto", description="side of the window whose mean decides the image score; auto is 21, less below 256 px"
    )


class SmallSegmentSettings(SegmentSettings):
    """A network for the CPU."""

    width: int = Field(16, ge=4, description="channels of the first stage; they double per stage up to eight times")
    stages: int = Field(4, ge=2, description="resolutions the network works at, each half of the one before")
    crop: int | Literal["auto"] = Field("auto", description="side of a training crop; auto follows the defects")
    learning_rate: float = Field(2e-3, gt=0)
