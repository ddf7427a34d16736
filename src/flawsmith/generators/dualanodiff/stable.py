"""A trunk that others have learnt: a latent diffusion model in a local folder, as in the paper."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from flawsmith.generators.stable import SIGMA_DATA, OnStable, Stable, like_text
from flawsmith.nets.attention import Context
from flawsmith.nets.branches import BranchedLinear
from flawsmith.nets.foreign_attention import CROSS, SELF, add_to_attention
from flawsmith.nets.unet import Between


class StableTrunk(OnStable):
    """Denoises the latents of pictures. A walker is told apart by low-rank additions to all attention."""

    sigma_data = SIGMA_DATA

    def __init__(self, stable: Stable, channels: int, walkers: int, rank: int) -> None:
        super().__init__(stable)
        self.channels, self.width, self.places = channels, stable.width, stable.places
        wrapped = add_to_attention(stable.unet, (SELF, CROSS), partial(BranchedLinear, rank=rank, branches=walkers))
        self.low_rank = nn.ModuleList(each.addition for each in wrapped if isinstance(each, BranchedLinear))

    def enter(self, pictures_NCHW: Tensor) -> Tensor:
        """Return the latents of pictures."""
        return self.stable.encode(pictures_NCHW)

    def leave(self, x: Tensor) -> Tensor:
        """Return the pictures of latents."""
        return self.stable.decode(x, self.channels)

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        return self.stable.training_sigmas(count, rng)

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along."""
        return self.stable.sigmas(steps, sigma_min, sigma_max)

    def forward(self, x: Tensor, sigma: Tensor, context: Context, between: Between) -> Tensor:
        """Return the clean estimate D(x; sigma)."""
        return self.stable.denoise(x, sigma, like_text(context), between)
