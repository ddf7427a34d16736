"""A feature network at work: pictures of any size in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.errors import DataError
from flawsmith.core.records import Image
from flawsmith.features.crops import Tones
from flawsmith.nets.features.seen import FeatureNet
from flawsmith.training.feed import to_tensor

Values = NDArray[np.float32]
BATCH = 16


class Look(NamedTuple):
    """What a network sees in N pictures: features (N, D), logits (N, K) or None, maps (N, C, H, W) fine to coarse."""

    features: Values
    logits: Values | None
    maps: tuple[Values, ...]


class FeatureExtractor(Protocol):
    """Looks at pictures. `identity` holds all that two of them must share for their numbers to be comparable."""

    @property
    def identity(self) -> dict[str, Any]:
        """The network's name, the hash of its weights, the side it sees, ..."""
        ...

    def look(self, images: Sequence[Image]) -> Look:
        """Return what the network sees in HWC pictures of uint8 or uint16, grey or RGB, each of any size."""
        ...


@dataclass(frozen=True)
class Extractor:
    """A network with the size and colours it wants.

    `tones` are those of the product's 16-bit pictures, `lpips_weights` LPIPS's (C,) per map; either may be missing.
    """

    net: FeatureNet
    identity: dict[str, Any]
    side: int
    channels: int = 3
    tones: Tones | None = None
    lpips_weights: tuple[Values, ...] | None = None

    def look(self, images: Sequence[Image]) -> Look:
        """Return what the network sees in HWC pictures of uint8 or uint16, grey or RGB, each of any size."""
        if not images:
            raise DataError("expected pictures to look at, got none")
        parts = [self._look(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        logits = [each.logits for each in parts if each.logits is not None]
        maps = tuple(np.concatenate(layer) for layer in zip(*(each.maps for each in parts), strict=True))
        features = np.concatenate([each.features for each in parts])
        return Look(features, np.concatenate(logits) if logits else None, maps)

    @torch.inference_mode()
    def _look(self, images: Sequence[Image]) -> Look:
        if isinstance(self.net, nn.Module):
            self.net.eval()
            device = next(self.net.parameters()).device
        else:
            device = torch.device("cpu")
        stretched = [self.tones.stretch(each) for each in images] if self.tones else images
        seen = self.net(torch.cat([sized(each, self.side, self.channels) for each in stretched]).to(device))
        logits = None if seen.logits is None else _array(seen.logits)
        return Look(_array(seen.features), logits, tuple(_array(each) for each in seen.maps))


def sized(image: Image, side: int, channels: int) -> Tensor:
    """Return an HWC picture as (1, channels, side, side) in [-1, 1]: bilinear, averaged where it shrinks."""
    x = to_tensor([image], channels)
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True) if x.shape[2:] != (side, side) else x


def _array(x: Tensor) -> Values:
    found: Values = x.float().cpu().numpy()
    return found
