"""The latent denoiser: a U-Net that is told the step everywhere, and name and place in its middle."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawsmith.generators.latent.condition import FEATURES, Condition
from flawsmith.generators.latent.settings import LatentNetSettings
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.unet import UNet

STEP_FEATURES = 64


class Names(nn.Module):
    """A vector of `width` numbers per name, and one for any name: the rows of a learnt table, or read from `vectors`
    (K, D) of a text model, any name then being zero.
    """

    def __init__(self, count: int, width: int, vectors: Tensor | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding(count + 1, width) if vectors is None else None
        self.read = None if vectors is None else nn.Linear(vectors.shape[1], width)
        if vectors is not None:
            self.register_buffer("vectors", torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])]))

    def forward(self, numbers: Tensor) -> Tensor:
        """Map (N,) to (N, width)."""
        if self.table is not None:
            found: Tensor = self.table(numbers)
            return found
        assert self.read is not None
        read: Tensor = self.read(self.get_buffer("vectors")[numbers])
        return read


class LatentNet(nn.Module):
    """Predict what a chain of `steps` steps has added to latents (N, channels, h, w) of mean 0 and spread 1.

    `centre` and `spread` (1, channels, 1, 1) turn them into the VQ-VAE's vectors.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, channels: int, names: int, steps: int, settings: LatentNetSettings, vectors: Tensor | None = None
    ) -> None:
        super().__init__()
        self.channels, self.names, self.steps, self.everywhere = channels, names, steps, settings.told == "everywhere"
        width = settings.embedding
        self.register_buffer("centre", torch.zeros(1, channels, 1, 1))
        self.register_buffer("spread", torch.ones(1, channels, 1, 1))
        self.step = nn.Sequential(nn.Linear(STEP_FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.name = Names(names, width, vectors)
        self.place = nn.Linear(FEATURES + 1, width)
        self.merge = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.unet = UNet(channels, channels, settings.widths, settings.blocks, width, patch=1)

    def forward(self, x: Tensor, steps_N: Tensor, condition: Condition) -> Tensor:
        """Run the network."""
        embedding = self.step(fourier_features(steps_N / self.steps, STEP_FEATURES))
        place = torch.cat([condition.place, condition.placed], 1)
        told = self.merge(self.name(condition.name) + self.place(place))
        if self.everywhere:
            everywhere: Tensor = self.unet(x, embedding + told)
            return everywhere
        amid: Tensor = self.unet(x, embedding, amid=told)
        return amid

    def forgotten(self, condition: Condition) -> Condition:
        """Return a condition that tells nothing."""
        return condition.without(torch.ones_like(condition.name, dtype=torch.bool), self.names)
