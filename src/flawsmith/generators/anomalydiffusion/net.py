"""The network: denoises a crop, and is told by tokens what to paint and where.

It does not see the background as a condition: what surrounds the defect reaches it through the noisy image alone, in
which blended sampling keeps the photograph.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from flawsmith.generators.anomalydiffusion.tokens import Condition, Tokens
from flawsmith.nets.attention import Context

PLAIN = 1
"""Tokens that are the same whatever is asked for; they come first."""


class Trunk(Protocol):
    """What does the denoising, a module: a network of the product's own, or one that others have learnt.

    What it denoises, x, need not be pixels. Each value of x is near `sigma_data`; `cell` of them a side are what
    re-weighting compares. `additions` are what the second stage may move.
    """

    cell: int
    sigma_data: float

    @property
    def additions(self) -> list[nn.Parameter]: ...  # noqa: D102

    def enter(self, tones_NCSS: Tensor, around_NC: Tensor) -> Tensor:
        """Return x of crops: tones relative to those around."""
        ...

    def leave(self, x: Tensor, around_NC: Tensor) -> Tensor:
        """Return the tones (N, C, S, S) of x, relative to those around."""
        ...

    def cells(self, mask_N1SS: Tensor) -> Tensor:
        """Return which places of x a mask touches."""
        ...

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw noise levels to learn at."""
        ...

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return noise levels to sample along, falling to 0."""
        ...

    def chunk(self, device: torch.device) -> int:
        """Return how many crops a call takes."""
        ...

    def __call__(self, x: Tensor, sigma: Tensor, context: Context, scale: Tensor) -> Tensor:
        """Return the clean estimate D(x; sigma)."""
        ...


class TokenNet(nn.Module):
    """Tokens, and the trunk that they tell what to paint where."""

    trunk: Trunk

    def __init__(self, tokens: Tokens, trunk: Trunk) -> None:
        super().__init__()
        self.tokens, self.trunk = tokens, trunk

    @property
    def good(self) -> int:
        """The class number of defect-free background."""
        return self.tokens.classes

    @property
    def nothing(self) -> int:
        """The class number for being told nothing (classifier-free guidance)."""
        return self.tokens.classes + 1

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Return the clean estimate D(x; sigma)."""
        return self.trunk(x, sigma, Context(self.tokens(condition), PLAIN, condition.emphasis), condition.scale)
