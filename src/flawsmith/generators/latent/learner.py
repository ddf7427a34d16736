"""How both networks learn: pictures through codes and back, then latents from noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.chain import Chain
from flawsmith.generators.deck import Deck
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.net import LatentNet
from flawsmith.nets.vqvae import VqVae

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


@torch.no_grad()
def vectors_of(deck: Deck, vqvae: VqVae) -> Tensor:
    """Return the VQ-VAE's vectors (P, V, D, h, w) of every view of every picture, on the CPU."""
    device, many = next(vqvae.parameters()).device, range(len(deck.pictures))
    rows = [(number, view) for number in many for view in range(len(deck.views))]
    parts = []
    for first in range(0, len(rows), CHUNK):
        numbers, seen = zip(*rows[first : first + CHUNK], strict=True)
        parts.append(vqvae.encode(deck.seen(numbers, seen).to(device)).float().cpu())
    found = torch.cat(parts)
    return found.reshape(len(deck.pictures), len(deck.views), *found.shape[1:])


class LatentBank:
    """Latents (P, V, D, h, w) of mean 0 and spread 1, with what each picture is told."""

    def __init__(self, deck: Deck, latents: Tensor, condition: Condition) -> None:
        self.deck, self.latents, self.condition = deck, latents, condition

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch."""
        numbers, seen = (torch.tensor(each) for each in zip(*(self.deck.draw(rng) for _ in range(size)), strict=True))
        return {"latent": self.latents[numbers, seen], **self.condition[numbers].as_batch}
