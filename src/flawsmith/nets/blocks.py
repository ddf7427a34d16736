"""Small blocks: noise-level features, modulated residual blocks, self-attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def fourier_features(x_N: Tensor, count: int) -> Tensor:
    """Return (N, count) sines and cosines of `x` at geometric frequencies from 1/4 to 64 (Vaswani et al. 2017, 3.5)."""
    frequencies = 2 ** torch.linspace(-2, 6, count // 2, device=x_N.device)
    angles = x_N.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


def groups_of(channels: int) -> int:
    """Return the number of normalisation groups: at least 8 channels each, 16 groups at most."""
    return math.gcd(channels, 16) if channels >= 64 else max(1, math.gcd(channels, 8) // 2)


class ResidualBlock(nn.Module):
    """Norm, SiLU, conv, twice, with scale and shift from an embedding between (adaptive group norm).

    Dhariwal & Nichol 2021, eq. (1). The last convolution starts at zero, so a new block is the identity.
    """

    def __init__(self, channels_in: int, channels_out: int, embedding: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(groups_of(channels_in), channels_in)
        self.conv_in = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels_out)
        self.norm_out = nn.GroupNorm(groups_of(channels_out), channels_out)
        self.conv_out = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map (N, Cin, H, W) and (N, E) to (N, Cout, H, W)."""
        hidden = self.conv_in(F.silu(self.norm_in(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        hidden = self.conv_out(F.silu(self.norm_out(hidden) * (1 + scale) + shift))
        result: Tensor = self.shortcut(x) + hidden
        return result


class SelfAttention(nn.Module):
    """Multi-head self-attention over all positions, added to its input (starts as the identity)."""

    def __init__(self, channels: int, head_channels: int = 32) -> None:
        super().__init__()
        self.heads = max(1, channels // head_channels)
        self.norm = nn.GroupNorm(groups_of(channels), channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        batch, channels, height, width = x.shape
        query, key, value = (
            self.qkv(self.norm(x)).reshape(batch, 3, self.heads, channels // self.heads, -1).transpose(-1, -2).unbind(1)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        result: Tensor = x + self.out(mixed.transpose(-1, -2).reshape(batch, channels, height, width))
        return result
