"""How a DDPM learns: what was added to a picture at a step drawn at random (Ho et al. 2020, algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.symmetry import Symmetry, draw_view
from flawsmith.diffusion.chain import Chain
from flawsmith.generators.gallery import Hung, as_tensor


class DdpmLearner:
    """One turn a step: the mean squared error of the prediction (Ho et al. 2020, eq. 14)."""

    def __init__(self, net: Any, chain: Chain, told: bool) -> None:
        self.net, self.chain, self.told = net, chain, told

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch: `image` (N, C, H, W) in [-1, 1], `label` (N,) class numbers."""
        clean = batch["image"]
        steps = torch.randint(len(self.chain), (len(clean),), generator=rng, device=rng.device).to(clean.device)
        noise = torch.randn(clean.shape, generator=rng, device=rng.device).to(clean.device)
        labels = batch["label"] if self.told else None
        said = self.net(self.chain.noised(clean, noise, steps), steps, class_labels=labels, return_dict=False)[0]
        loss = F.mse_loss(said.float(), self.chain.target(clean, noise, steps))
        return [(loss, list(self.net.parameters()))]


class PictureBank:
    """The defect pictures that one network learns from; every class is drawn as often as another."""

    def __init__(self, pictures: list[Hung], labels: tuple[str, ...], symmetry: Symmetry) -> None:
        self.symmetry = symmetry
        self.images = [as_tensor([each for each in pictures if each.label == label]) for label in labels]

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch."""
        rows = [self._row(rng) for _ in range(size)]
        images, labels = zip(*rows, strict=True)
        return {"image": torch.stack(images), "label": torch.tensor(labels)}

    def _row(self, rng: np.random.Generator) -> tuple[Tensor, int]:
        number = int(rng.integers(len(self.images)))
        image_CHW = self.images[number][int(rng.integers(len(self.images[number])))]
        view = draw_view(self.symmetry, rng)
        turned = view.of(image_CHW.permute(1, 2, 0).numpy())
        return torch.from_numpy(turned).permute(2, 0, 1), number
