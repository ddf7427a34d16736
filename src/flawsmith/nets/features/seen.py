"""What a feature network says of a batch of pictures."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor


class Seen(NamedTuple):
    """Features (N, D); class logits (N, K), None where the network tells no classes; feature maps (N, C, H, W), fine to
    coarse, by whose difference LPIPS measures.
    """

    features: Tensor
    logits: Tensor | None
    maps: tuple[Tensor, ...]


class FeatureNet(Protocol):
    """A network that looks at pictures NCHW in [-1, 1]."""

    def __call__(self, x_NCHW: Tensor) -> Seen:
        """Run the network."""
        ...
