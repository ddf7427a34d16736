"""The network: the whole picture and its defect alone are denoised side by side, in one trunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.generators.dualanodiff.ground import Ground
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.nets.attention import Context
from flawsmith.nets.exchange import Compensation, Interrelation
from flawsmith.nets.unet import Between


@dataclass(frozen=True)
class Condition:
    """What is asked of N pictures: `label` (N,) the class (the last two numbers mean good and nothing), `background`
    (N, C, H, W), as it enters the trunk, what lies behind the defect, `noise` of the same shape what it is noised with.
    """

    label: Tensor
    background: Tensor
    noise: Tensor

    def labelled(self, label: Tensor) -> Condition:
        """Return the condition with another class."""
        return replace(self, label=label)


class Trunk(Protocol):
    """What does the denoising, a module: a network of the product's own, or one that others have learnt.

    What it denoises, x, need not be pixels; it is near `sigma_data`. Tokens are `width` long, `places` are the channels
    at each place where the walkers meet. It tells walkers apart by their order.
    """

    sigma_data: float
    width: int
    places: tuple[int, ...]

    def enter(self, pictures_NCHW: Tensor) -> Tensor:
        """Return x of pictures in [-1, 1]."""
        ...

    def leave(self, x: Tensor) -> Tensor:
        """Return the pictures of x."""
        ...

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        ...

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along, falling to 0."""
        ...

    def __call__(self, x: Tensor, sigma: Tensor, context: Context, between: Between) -> Tensor:
        """Return the clean estimate D(x; sigma) of all walkers, one walker's batch after another's."""
        ...


class DualNet(nn.Module):
    """Estimate the clean pair (N, 2C, H, W) from a noisy one: the picture, then the defect alone on its ground.

    With compensation the background walks along, noised to the same level; what is made of it is not looked at.
    """

    colour: Tensor
    trunk: Trunk

    def __init__(
        self, trunk: Trunk, channels: int, classes: int, settings: DualAnoDiffSettings, ground: Ground
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.channels, self.classes, self.compensation = channels, classes, settings.compensation
        self.register_buffer("colour", torch.tensor(ground.colour))
        walkers, width = 3 if settings.compensation else 2, trunk.width
        self.plain = nn.Parameter(torch.randn(walkers, 1, 1, width))
        self.types = nn.Parameter(torch.randn(classes + 2, settings.net.type_tokens, width))
        self.compensate = nn.ModuleList(Compensation(each) for each in trunk.places if settings.compensation)
        self.interrelate = nn.ModuleList(Interrelation(each) for each in trunk.places if settings.interrelation)

    @property
    def good(self) -> int:
        """The class number of defect-free pictures."""
        return self.classes

    @property
    def nothing(self) -> int:
        """The class number for being told nothing (classifier-free guidance)."""
        return self.classes + 1

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Return the clean estimate D(x; sigma)."""
        behind = condition.background + sigma.reshape(-1, 1, 1, 1) * condition.noise
        walkers = [*x.chunk(2, 1), behind][: len(self.plain)]
        context = Context(self.tokens(condition.label).flatten(0, 1), plain=1)
        clean = self.trunk(torch.cat(walkers), sigma.repeat(len(walkers)), context, self._exchange)
        return torch.cat(clean.chunk(len(walkers))[:2], 1)

    def tokens(self, label: Tensor) -> Tensor:
        """Return (walkers, N, T, E): a token of the branch, then those of the class; a background is good."""
        classes = torch.stack([label, label, torch.full_like(label, self.good)][: len(self.plain)])
        what = F.embedding(classes, self.types.flatten(1)).reshape(*classes.shape, *self.types.shape[1:])
        return torch.cat([self.plain.expand(-1, len(label), -1, -1), what], 2)

    def _exchange(self, place: int, x: Tensor) -> Tensor:
        """Let the walkers' features at a place, one walker after another, speak to each other."""
        features = list(x.chunk(len(self.plain)))
        if self.compensate:
            features[0] = self.compensate[place](features[0], features[2])
        pair = torch.stack(features[:2])
        if self.interrelate:
            pair = self.interrelate[place](pair)
        return torch.cat([pair.flatten(0, 1), *features[2:]])
