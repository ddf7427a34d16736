"""A trunk learnt on the product itself: a small U-Net in pixel space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.preconditioning import precondition, training_sigmas
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.generators.dualanodiff.settings import DualNetSettings
from flawsmith.nets.attention import Context
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.unet import Between, UNet

FEATURES = 64
LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = -0.6, 1.4
"""Training noise, ln sigma ~ N(mean, spread²): more of it than for crops, since whole pictures have coarser parts."""


class OwnTrunk(nn.Module):
    """Denoises pictures. A walker is told apart by a vector that modulates every block."""

    sigma_data = 0.5

    def __init__(self, channels: int, walkers: int, own: DualNetSettings) -> None:
        super().__init__()
        self.width = width = own.embedding
        self.places = (*own.widths, *reversed(own.widths))
        self.branch = nn.Parameter(torch.zeros(walkers, 1, width))
        self.level = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.unet = UNet(channels, channels, own.widths, own.blocks, width, own.patch, width)

    def enter(self, pictures_NCHW: Tensor) -> Tensor:
        """Return pictures as they are."""
        return pictures_NCHW

    def leave(self, x: Tensor) -> Tensor:
        """Return pictures as they are."""
        return x

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        return training_sigmas(count, rng, LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD)

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along."""
        return karras_sigmas(steps, sigma_min, sigma_max)

    def forward(self, x: Tensor, sigma: Tensor, context: Context, between: Between) -> Tensor:
        """Return the clean estimate D(x; sigma)."""

        def network(scaled: Tensor, noise: Tensor) -> Tensor:
            features = self.level(fourier_features(noise, FEATURES)).unflatten(0, (len(self.branch), -1))
            embedding = F.silu(features + self.branch).flatten(0, 1)
            raw: Tensor = self.unet(scaled, embedding, context, between=between)
            return raw

        return precondition(network, self.sigma_data)(x, sigma)
