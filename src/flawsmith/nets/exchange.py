"""What pictures that walk through a network side by side tell each other, place by place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawsmith.nets.blocks import groups_of


class Interrelation(nn.Module):
    """Self-attention over the tokens that several pictures have at one place, added to them (starts as the identity).

    The self-attention interactive module of DualAnoDiff (CVPR 2025): one head, and nothing passes between places.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups_of(channels), channels)
        self.enter = nn.Conv2d(channels, channels, 1)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, pictures_FNCHW: Tensor) -> Tensor:
        """Map the features of F pictures each of N samples, (F, N, C, H, W), to the same shape."""
        pictures, samples, _, height, width = pictures_FNCHW.shape
        tokens = self.qkv(self.enter(self.norm(pictures_FNCHW.flatten(0, 1))))
        query, key, value = tokens.reshape(pictures, samples, -1, height, width).chunk(3, 2)
        logits = torch.einsum("fnchw,gnchw->fgnhw", query, key) * query.shape[2] ** -0.5
        mixed = torch.einsum("fgnhw,gnchw->fnchw", logits.softmax(1), value)
        change: Tensor = self.out(mixed.flatten(0, 1))
        return pictures_FNCHW + change.reshape(pictures_FNCHW.shape)


class Compensation(nn.Module):
    """Adds to a picture's features what those of its background say: phi + MLP(phi_b), which starts at nothing.

    The background compensation module of DualAnoDiff, whose gamma is part of the last weights here.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.SiLU(), nn.Conv2d(channels, channels, 1))
        nn.init.zeros_(self.read[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.read[-1].bias)  # type: ignore[arg-type]

    def forward(self, picture: Tensor, background: Tensor) -> Tensor:
        """Map (N, C, H, W) and the background's (N, C, H, W) to the same shape."""
        result: Tensor = picture + self.read(background)
        return result
