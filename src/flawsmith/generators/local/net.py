"""The local generator's network: image and mask of a defect, denoised together, given everything around it.

Preconditioning follows Karras et al. 2022 ("Elucidating the design space of diffusion-based generative models"),
table 1. Image and mask share one diffusion, so the mask that comes out fits the pixels that come out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.local.settings import NetSettings
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.unet import UNet

SIGMA_DATA = 0.5
FEATURES = 64


@dataclass(frozen=True)
class Condition:
    """What a crop's defect is painted from. N crops of side S, C channels, G guide measures.

    `known` (N, C, S, S) is the crop with the region blanked to 0, `region` (N, 1, S, S) what is repainted, `asked`
    (N, 1, S, S) where the defect is wanted, `label` (N,) the class (the last two numbers mean good and unknown),
    `guide` (N, G) with `guided` (N, 1) telling where it counts, `scale` (N,) log2 of camera pixels per pixel.
    """

    known: Tensor
    region: Tensor
    asked: Tensor
    label: Tensor
    guide: Tensor
    guided: Tensor
    scale: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Condition:
        return Condition(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class LocalNet(nn.Module):
    """Estimate the clean (N, C + 1, S, S) image and mask from a noisy one.

    Images are tones relative to the mean of their surroundings, in the colours of `palette` (C, C), so that a crop of
    any exposure has a spread near SIGMA_DATA in each.
    """

    palette: Tensor

    def __init__(
        self, channels: int, classes: int, guides: int, settings: NetSettings, palette: Palette | None = None
    ) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes
        seen = np.eye(channels, dtype=np.float32) if palette is None else palette.seen
        self.register_buffer("palette", torch.tensor(seen))
        width = settings.embedding
        self.label = nn.Embedding(classes + 2, width)
        self.guide = nn.Linear(guides + 1, width)
        self.noise = nn.Linear(2 * FEATURES, width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.unet = UNet(2 * channels + 3, channels + 1, settings.widths, settings.blocks, width, settings.patch)

    @property
    def good(self) -> int:
        """The class number of defect-free background."""
        return self.classes

    @property
    def unknown(self) -> int:
        """The class number that stands for any class (classifier-free guidance)."""
        return self.classes + 1

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Return the clean estimate D(x; sigma), equation (7)."""
        level = sigma.float().reshape(-1, 1, 1, 1)
        spread = (level**2 + SIGMA_DATA**2).sqrt()
        features = torch.cat(
            [fourier_features(sigma.log() / 4, FEATURES), fourier_features(condition.scale, FEATURES)], 1
        )
        guide = torch.cat([condition.guide * condition.guided, condition.guided], 1)
        embedding = self.mix(self.label(condition.label) + self.guide(guide) + self.noise(features))
        seen = [x * condition.region / spread, condition.known, condition.region, condition.asked]
        raw: Tensor = self.unet(torch.cat(seen, 1), embedding).float()
        return x * (SIGMA_DATA / spread) ** 2 + raw * level * SIGMA_DATA / spread
