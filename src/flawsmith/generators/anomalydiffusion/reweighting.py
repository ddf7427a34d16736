"""Adaptive attention re-weighting: places that still look like the background are told louder what to become."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from flawsmith.diffusion.inpainting import region_of

MOST = 1.5
"""Largest factor of a place's attention to the tokens; the smallest is 1."""
LEAST = 1e-6


def reach(sigma: float, side: int, sigma_data: float) -> int:
    """Return by how many places the mask is grown at a noise level: wide in much noise, narrow in little.

    The authors' code grows it by (t + 100) * 16 // 1000 of 32 cells at time t of 1000; time is taken here as the angle
    between signal and noise.

    >>> reach(1000.0, 64, 0.5), reach(0.01, 64, 0.5)
    (34, 2)
    """
    time = 2000 / math.pi * math.atan(sigma / sigma_data)
    return int((time + 100) * 16 // 1000) * side // 32


def emphasis(
    estimate: Tensor, background: Tensor, mask: Tensor, sigma: float, *, cell: int, sigma_data: float
) -> Tensor:
    """Return factors (N, 1, S / cell, S / cell) in [1, MOST]: the adaptive attention re-weighting of Hu et al. 2024.

    `estimate` and `background` are clean images or latents (N, C, S, S) of spread `sigma_data`, `mask` (N, 1, S, S)
    where the defect shall be. A cell's factor is its closeness, one over the mean squared difference, as a multiple of
    the mean closeness inside the mask grown by `reach`; it is 1 outside. Cells are `cell` places a side: of pixels more
    than one, since one over a single pixel's difference is mostly chance.
    """
    inside = F.max_pool2d(region_of(mask, reach(sigma, mask.shape[-1], sigma_data)), cell)
    difference = F.avg_pool2d(((estimate - background) ** 2).mean(1, keepdim=True), cell)
    closeness = inside / difference.clamp(min=LEAST)
    total = closeness.sum((2, 3), keepdim=True).clamp(min=torch.finfo(closeness.dtype).tiny)
    return (closeness * inside.sum((2, 3), keepdim=True) / total).clamp(1, MOST)
