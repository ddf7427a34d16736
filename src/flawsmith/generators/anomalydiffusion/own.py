"""A trunk learnt on the product itself: a small U-Net in pixel space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.preconditioning import precondition, training_sigmas
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.generators.anomalydiffusion.settings import TokenNetSettings
from flawsmith.generators.crops.drawing import chunk_for
from flawsmith.generators.crops.palette import Palette
from flawsmith.nets.attention import Context, LowRankLinear
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.unet import UNet

FEATURES = 64


class OwnTrunk(nn.Module):
    """Denoises tones in the colours of `palette` (C, C), which give defects a spread near `sigma_data`."""

    palette: Tensor
    cell, sigma_data = 4, 0.5

    def __init__(self, channels: int, own: TokenNetSettings, palette: Palette | None = None) -> None:
        super().__init__()
        seen = np.eye(channels, dtype=np.float32) if palette is None else palette.seen
        self.register_buffer("palette", torch.tensor(seen))
        width = own.embedding
        self.level = nn.Sequential(nn.Linear(2 * FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.unet = UNet(channels, channels, own.widths, own.blocks, width, own.patch, width, own.rank)

    @property
    def additions(self) -> list[nn.Parameter]:
        """The low-rank additions to the cross-attention."""
        return [part for each in self.modules() if isinstance(each, LowRankLinear) for part in each.addition]

    def enter(self, tones_NCSS: Tensor, around_NC: Tensor) -> Tensor:
        """Return crops in the palette's colours; what is around does not count."""
        return F.conv2d(tones_NCSS, self.palette[:, :, None, None])

    def leave(self, x: Tensor, around_NC: Tensor) -> Tensor:
        """Return the tones of crops."""
        back = torch.linalg.inv(self.palette.double()).to(x.dtype)
        return F.conv2d(x, back[:, :, None, None])

    def cells(self, mask_N1SS: Tensor) -> Tensor:
        """Return the mask: a place is a pixel."""
        return mask_N1SS

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        return training_sigmas(count, rng)

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along."""
        return karras_sigmas(steps, sigma_min, sigma_max)

    def chunk(self, device: torch.device) -> int:
        """Return how many crops a call takes."""
        return chunk_for(device)

    def forward(self, x: Tensor, sigma: Tensor, context: Context, scale: Tensor) -> Tensor:
        """Return the clean estimate D(x; sigma)."""

        def network(scaled: Tensor, noise: Tensor) -> Tensor:
            features = torch.cat([fourier_features(each, FEATURES) for each in (noise, scale)], 1)
            raw: Tensor = self.unet(scaled, self.level(features), context)
            return raw

        return precondition(network, self.sigma_data)(x, sigma)
