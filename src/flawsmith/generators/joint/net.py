"""The network: picture and mask of a crop as one state, denoised together, given the photograph around a window.

Defect-Gen (Yang et al. 2024) draws the layout with a network that sees the whole picture and, from a step on, the
detail with one that sees a small part of it: to that one, a handful of pictures is many patches. So it is here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from flawsmith.diffusion.preconditioning import precondition
from flawsmith.generators.crops.palette import SPREAD, Palette
from flawsmith.generators.joint.settings import JointNetSettings
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.unet import UNet

SIGMA_DATA = SPREAD
"""What the palette brings defects to; the mask's channel is as strong."""
FEATURES = 64


@dataclass(frozen=True)
class Condition:
    """What is known of N crops of side S before a defect is drawn in them.

    `known` (N, C, S, S) is the photograph, of which only what lies outside the window is looked at, `free` (N, 1, S, S)
    1 inside the window, `label` (N,) the class (the last two numbers mean good and any), `scale` (N,) log2 of camera
    pixels per pixel.
    """

    known: Tensor
    free: Tensor
    label: Tensor
    scale: Tensor

    def of_class(self, label: Tensor) -> Condition:
        """Return the condition with other classes."""
        return replace(self, label=label)


class JointNet(nn.Module):
    """Estimate the clean (N, C + 1, S, S) picture and mask from a noisy one.

    Pictures are tones relative to the mean of their surroundings, in the colours of `palette` (C, C); the mask is a
    channel as in `crops.mask_channel`.
    """

    palette: Tensor

    def __init__(self, channels: int, classes: int, settings: JointNetSettings, palette: Palette | None = None) -> None:
        super().__init__()
        self.channels, self.classes, self.fine_below = channels, classes, settings.fine_below or 0.0
        seen = np.eye(channels, dtype=np.float32) if palette is None else palette.seen
        self.register_buffer("palette", torch.tensor(seen))
        width = settings.embedding
        self.label = nn.Embedding(classes + 2, width)
        self.level = nn.Linear(2 * FEATURES, width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        ends, inner = (2 * channels + 2, channels + 1), (settings.blocks, width, settings.patch)
        self.whole = UNet(*ends, settings.widths, *inner)
        self.fine = UNet(*ends, settings.widths[:1], *inner, attention=False) if self.fine_below else None

    @property
    def good(self) -> int:
        """The class number of defect-free background."""
        return self.classes

    @property
    def any_class(self) -> int:
        """The class number that stands for any class (classifier-free guidance)."""
        return self.classes + 1

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Return the clean estimate D(x; sigma)."""

        def network(scaled: Tensor, noise: Tensor) -> Tensor:
            features = torch.cat([fourier_features(each, FEATURES) for each in (noise, condition.scale)], 1)
            embedding = self.mix(self.label(condition.label) + self.level(features))
            free = condition.free
            return self._run(torch.cat([scaled * free, condition.known * (1 - free), free], 1), embedding, sigma)

        return precondition(network, SIGMA_DATA)(x, sigma)

    def _run(self, seen: Tensor, embedding: Tensor, sigma: Tensor) -> Tensor:
        """Return what the network of each crop's noise level says, (N, C + 1, S, S)."""
        if self.fine is None:
            whole: Tensor = self.whole(seen, embedding)
            return whole
        said = seen.new_zeros(len(seen), self.channels + 1, *seen.shape[2:])
        is_fine = sigma < self.fine_below
        for net, rows in ((self.whole, ~is_fine), (self.fine, is_fine)):
            if rows.any():
                said[rows] = net(seen[rows], embedding[rows]).to(said.dtype)
        return said
