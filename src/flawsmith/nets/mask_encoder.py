"""Tokens that say where: a mask read by a small pyramid of convolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 3
"""The pyramid's levels: a quarter, an eighth and a sixteenth of the mask's side."""
SLOPE = 0.2
"""Of the leaky ReLU."""


class MaskEncoder(nn.Module):
    """Map masks (N, 1, S, S) in {0, 1} to `count` tokens (N, count, E).

    A feature pyramid (Lin et al. 2017): going down, strided convolutions; going up, the coarser level is added to the
    finer one. Each token comes from one level, shrunk to a point by strided convolutions, so that it knows places and
    not only what there is.
    """

    def __init__(self, side: int, count: int, tokens: int, width: int = 32) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.enter = _halving(1, width)
        self.down = nn.ModuleList(
            _halving(before, after) for before, after in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.across = nn.ModuleList(nn.Conv2d(each, widths[-1], 1) for each in widths)
        self.heads = nn.ModuleList(
            _head(math.ceil(side / 2 ** (2 + number % LEVELS)), widths[-1], tokens) for number in range(count)
        )

    def forward(self, mask: Tensor) -> Tensor:
        """Run the encoder."""
        x = self.enter(mask * 2 - 1)
        levels = []
        for down, across in zip(self.down, self.across, strict=True):
            x = down(x)
            levels.append(across(x))
        for level in reversed(range(LEVELS - 1)):
            size_hw = levels[level].shape[2:]
            levels[level] = levels[level] + F.interpolate(levels[level + 1], size_hw, mode="bilinear")
        return torch.stack([head(levels[number % LEVELS]) for number, head in enumerate(self.heads)], 1)


def _halving(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, 2, 1), nn.LeakyReLU(SLOPE))


def _head(side: int, width: int, tokens: int) -> nn.Sequential:
    """Return what shrinks a level of this side to one token."""
    steps = [_halving(width, width) for _ in range(math.ceil(math.log2(side)))]
    return nn.Sequential(*steps, nn.Flatten(), nn.Linear(width, tokens))
