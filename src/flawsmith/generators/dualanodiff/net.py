"""The network: the whole picture and its defect alone are denoised side by side, in one trunk.

The paper has one pretrained trunk with low-rank additions per branch. Here a branch is told apart by a token and by a
vector that modulates every block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.preconditioning import c_in, precondition
from flawsmith.generators.dualanodiff.ground import Ground
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.nets.attention import Context
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.exchange import Compensation, Interrelation
from flawsmith.nets.unet import UNet

SIGMA_DATA = 0.5
FEATURES = 64


@dataclass(frozen=True)
class Condition:
    """What is asked of N pictures: `label` (N,) the class (the last two numbers mean good and nothing), `background`
    (N, C, H, W) in [-1, 1] what lies behind the defect, `noise` of the same shape what it is noised with.
    """

    label: Tensor
    background: Tensor
    noise: Tensor

    def labelled(self, label: Tensor) -> Condition:
        """Return the condition with another class."""
        return replace(self, label=label)


class DualNet(nn.Module):
    """Estimate the clean pair (N, 2C, H, W) from a noisy one: the picture, then the defect alone on its ground.

    With compensation the background walks along, noised to the same level; what is made of it is not looked at.
    """

    colour: Tensor

    def __init__(self, channels: int, classes: int, settings: DualAnoDiffSettings, ground: Ground) -> None:
        super().__init__()
        self.channels, self.classes, self.compensation = channels, classes, settings.compensation
        self.register_buffer("colour", torch.tensor(ground.colour))
        own, width = settings.net, settings.net.embedding
        walkers = 3 if settings.compensation else 2
        self.branch = nn.Parameter(torch.zeros(walkers, 1, width))
        self.plain = nn.Parameter(torch.randn(walkers, 1, 1, width))
        self.types = nn.Parameter(torch.randn(classes + 2, own.type_tokens, width))
        self.level = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.unet = UNet(channels, channels, own.widths, own.blocks, width, own.patch, width)
        places = (*own.widths, *reversed(own.widths))
        self.compensate = nn.ModuleList(Compensation(each) for each in places if settings.compensation)
        self.interrelate = nn.ModuleList(Interrelation(each) for each in places if settings.interrelation)

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
        level = sigma.reshape(-1, 1, 1, 1)
        behind = c_in(level, SIGMA_DATA) * (condition.background + level * condition.noise)

        def network(scaled: Tensor, noise: Tensor) -> Tensor:
            walkers = [*scaled.chunk(2, 1), behind][: len(self.branch)]
            embedding = F.silu(self.level(fourier_features(noise, FEATURES)) + self.branch)
            context = Context(self.tokens(condition.label).flatten(0, 1), plain=1)
            raw = self.unet(torch.cat(walkers), embedding.flatten(0, 1), context, between=self._exchange)
            return torch.cat(raw.chunk(len(self.branch))[:2], 1)

        return precondition(network, SIGMA_DATA)(x, sigma)

    def tokens(self, label: Tensor) -> Tensor:
        """Return (walkers, N, T, E): a token of the branch, then those of the class; a background is good."""
        classes = torch.stack([label, label, torch.full_like(label, self.good)][: len(self.plain)])
        what = F.embedding(classes, self.types.flatten(1)).reshape(*classes.shape, *self.types.shape[1:])
        return torch.cat([self.plain.expand(-1, len(label), -1, -1), what], 2)

    def _exchange(self, place: int, x: Tensor) -> Tensor:
        """Let the walkers' features at a place, one walker after another, speak to each other."""
        features = list(x.chunk(len(self.branch)))
        if self.compensate:
            features[0] = self.compensate[place](features[0], features[2])
        pair = torch.stack(features[:2])
        if self.interrelate:
            pair = self.interrelate[place](pair)
        return torch.cat([pair.flatten(0, 1), *features[2:]])
