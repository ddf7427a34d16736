"""A trunk that others have learnt: a latent diffusion model in a local folder, as in the paper."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.generators.crops.tone import pictures_of, tones_of
from flawsmith.generators.stable import SIGMA_DATA, OnStable, Stable, like_text
from flawsmith.nets.attention import Context, LowRankLinear
from flawsmith.nets.foreign_attention import CROSS, add_to_attention

CHUNK = 4
"""Crops per network call, always."""


class StableTrunk(OnStable):
    """Denoises the latents of crops. The crops are the photograph's own tones, which such a model knows."""

    cell, sigma_data = 1, SIGMA_DATA

    def __init__(self, stable: Stable, channels: int, rank: int) -> None:
        super().__init__(stable)
        self.channels = channels
        wrapped = add_to_attention(stable.unet, (CROSS,), partial(LowRankLinear, rank=rank)) if rank else []
        parts = [part for each in wrapped if isinstance(each, LowRankLinear) for part in (each.narrow, each.widen)]
        self.low_rank = nn.ModuleList(parts)

    @property
    def additions(self) -> list[nn.Parameter]:
        """The low-rank additions to the cross-attention."""
        return list(self.low_rank.parameters())

    def enter(self, tones_NCSS: Tensor, around_NC: Tensor) -> Tensor:
        """Return the latents of crops."""
        return self.stable.encode(pictures_of(tones_NCSS + around_NC[..., None, None]))

    def leave(self, x: Tensor, around_NC: Tensor) -> Tensor:
        """Return the tones of latents, relative to those around."""
        return tones_of(self.stable.decode(x, self.channels)) - around_NC[..., None, None]

    def cells(self, mask_N1SS: Tensor) -> Tensor:
        """Return which latents a mask touches."""
        return F.max_pool2d(mask_N1SS, self.stable.factor)

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        return self.stable.training_sigmas(count, rng)

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along."""
        return self.stable.sigmas(steps, sigma_min, sigma_max)

    def chunk(self, device: torch.device) -> int:
        """Return how many crops a call takes."""
        return CHUNK

    def forward(self, x: Tensor, sigma: Tensor, context: Context, scale: Tensor) -> Tensor:
        """Return the clean estimate D(x; sigma). It is told no scale."""
        return self.stable.denoise(x, sigma, like_text(context))
