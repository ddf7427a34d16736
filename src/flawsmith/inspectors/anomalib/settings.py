"""Settings of anomalib's detectors; the defaults are anomalib's own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.inspectors.settings import FrameSettings

Weights = Path | Literal["random"] | None

SIZE = "side of the square that a whole image is brought to; its edge fills what is left over"
BACKBONE = "name of the timm model whose features are looked at; it is never trained"
LAYERS = "modules of the backbone whose output is taken"
WEIGHTS = (
    "file of pretrained weights of the backbone (.safetensors, or .pth without code); must be said, because it learns "
    "nothing: `random` takes random features, which find little"
)


class SupersimplenetSettings(FrameSettings):
    """SuperSimpleNet in its supervised mode."""

    batch: int = Field(8, ge=2, description="pictures per step, half of them free of defects; the model doubles it")
    size: int = Field(256, ge=16, description=SIZE)
    backbone: str = Field("wide_resnet50_2", description=BACKBONE)
    layers: tuple[str, ...] = Field(("layer2", "layer3"), min_length=1, description=LAYERS)
    weights: Weights = Field(None, description=WEIGHTS)
    perlin_threshold: float = Field(0.2, ge=-1, le=1, description="of the noise that makes anomalies of features")


class OneClassSettings(Settings):
    """What detectors that learn from good images alone can be told. Synthetic images change nothing for them."""

    batch: int = Field(8, ge=1, description="pictures looked at together while learning")
    steps: int = Field(1, ge=1, description="not used: good images are looked at once")
    cycle: int = Field(1, ge=1, description="not used")
    synthetic_share: float = Field(0, ge=0, le=1, description="not used: nothing is learnt from defects")
    size: int = Field(256, ge=16, description=SIZE)
    backbone: str = Field("wide_resnet50_2", description=BACKBONE)
    layers: tuple[str, ...] = Field(("layer2", "layer3"), min_length=1, description=LAYERS)
    weights: Weights = Field(None, description=WEIGHTS)


class PatchcoreSettings(OneClassSettings):
    """PatchCore: the distance to the nearest of the remembered features."""

    coreset: float = Field(0.1, gt=0, le=1, description="share of the features of good images that is remembered")
    neighbours: int = Field(9, ge=1, description="remembered features by which an image score is weighed")


class PadimSettings(OneClassSettings):
    """PaDiM: the distance from the usual features of the same place."""

    backbone: str = Field("resnet18", description=BACKBONE)
    layers: tuple[str, ...] = Field(("layer1", "layer2", "layer3"), min_length=1, description=LAYERS)
    features: int = Field(100, ge=1, description="how many of the features are kept, drawn at random")


DetectorSettings = SupersimplenetSettings | PatchcoreSettings | PadimSettings
