"""How both networks learn: pictures through codes and back, then latents from noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.records import GOOD
from flawsmith.core.symmetry import Symmetry, views
from flawsmith.diffusion.chain import Chain
from flawsmith.generators.gallery import Hung
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.net import LatentNet
from flawsmith.nets.vqvae import VqVae
from flawsmith.training.feed import to_tensor

CHUNK = 8
"""Pictures that are encoded at a time."""


class VqVaeLearner:
    """One turn a step: squared error and commitment (van den Oord et al. 2017, eq. 3); the codes follow by averages."""

    def __init__(self, net: VqVae, commitment: float) -> None:
        self.net, self.commitment = net, commitment

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch: `image` (N, C, H, W) in [-1, 1]."""
        made = self.net(batch["image"])
        loss = F.mse_loss(made.pictures.float(), batch["image"]) + self.commitment * made.quantised.commitment
        self.net.codebook.follow(made.vectors, made.quantised.numbers, rng)
        return [(loss, list(self.net.parameters()))]


class LatentLearner:
    """One turn a step: the mean squared error of the prediction (Ho et al. 2020, eq. 14), some of the batch told
    nothing (Ho & Salimans 2022, algorithm 1).
    """

    def __init__(self, net: LatentNet, chain: Chain, dropout: float) -> None:
        self.net, self.chain, self.dropout = net, chain, dropout

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch: `latent` (N, D, h, w) and the parts of a condition."""
        clean = batch["latent"]
        count, device = len(clean), clean.device
        steps = torch.randint(len(self.chain), (count,), generator=rng, device=rng.device).to(device)
        noise = torch.randn(clean.shape, generator=rng, device=rng.device).to(device)
        forgotten = (torch.rand(count, generator=rng, device=rng.device) < self.dropout).to(device)
        condition = Condition.of_batch(batch).without(forgotten, self.net.names)
        said = self.net(self.chain.noised(clean, noise, steps), steps, condition)
        loss = F.mse_loss(said.float(), self.chain.target(clean, noise, steps))
        return [(loss, list(self.net.parameters()))]


class Deck:
    """Training pictures to draw from: a share of good ones, the rest spread evenly over the classes."""

    def __init__(self, pictures: Sequence[Hung], good_share: float, symmetry: Symmetry) -> None:
        self.pictures, self.views = pictures, views(symmetry)
        numbers: dict[str, list[int]] = {}
        for number, each in enumerate(pictures):
            numbers.setdefault(each.label, []).append(number)
        self.good = numbers.pop(GOOD, [])
        self.good_share = good_share if self.good else 0.0
        self.classes = list(numbers.values())

    @property
    def channels(self) -> int:
        """Channels of every picture."""
        return int(self.pictures[0].image.shape[2])

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Return the number of a picture, and that of a view of it."""
        kind = self.classes[int(rng.integers(len(self.classes)))]
        mine = self.good if rng.random() < self.good_share else kind
        return mine[int(rng.integers(len(mine)))], int(rng.integers(len(self.views)))

    def pictures_batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch of pictures."""
        drawn = [self.draw(rng) for _ in range(size)]
        return {"image": self._seen([number for number, _ in drawn], [view for _, view in drawn])}

    @torch.no_grad()
    def vectors(self, vqvae: VqVae) -> Tensor:
        """Return the VQ-VAE's vectors (P, V, D, h, w) of every view of every picture, on the CPU."""
        device, many = next(vqvae.parameters()).device, range(len(self.pictures))
        rows = [(number, view) for number in many for view in range(len(self.views))]
        parts = []
        for first in range(0, len(rows), CHUNK):
            numbers, seen = zip(*rows[first : first + CHUNK], strict=True)
            parts.append(vqvae.encode(self._seen(numbers, seen).to(device)).float().cpu())
        found = torch.cat(parts)
        return found.reshape(len(self.pictures), len(self.views), *found.shape[1:])

    def _seen(self, numbers: Sequence[int], chosen: Sequence[int]) -> Tensor:
        pairs = zip(numbers, chosen, strict=True)
        images = [self.views[view].of(self.pictures[number].image) for number, view in pairs]
        return to_tensor(images, self.channels)


class LatentBank:
    """Latents (P, V, D, h, w) of mean 0 and spread 1, with what each picture is told."""

    def __init__(self, deck: Deck, latents: Tensor, condition: Condition) -> None:
        self.deck, self.latents, self.condition = deck, latents, condition

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch."""
        numbers, seen = (torch.tensor(each) for each in zip(*(self.deck.draw(rng) for _ in range(size)), strict=True))
        return {"latent": self.latents[numbers, seen], **self.condition[numbers].as_batch}
