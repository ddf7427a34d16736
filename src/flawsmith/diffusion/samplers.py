"""Ways from noise to image along falling noise levels, for any denoiser.

All work in the variance-exploding frame x = clean + sigma noise, where the probability-flow equation is
dx/dsigma = (x - D(x, sigma)) / sigma (Karras et al. 2022, eq. 1 with sigma(t) = t, s(t) = 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.protocols import Denoiser
from flawsmith.core.registry import Registry

Noise = Callable[[], Tensor]
"""Gives fresh standard normal noise of the shape of x at each call."""
Callback = Callable[[int, Tensor], None]
"""Called with (steps done, x) after each step; what it raises stops the sampling."""


class Sampler(Protocol):
    """(denoiser, x of level sigmas[0], sigmas falling to 0) -> image. Stochastic ones need `noise`."""

    def __call__(  # noqa: D102
        self,
        denoiser: Denoiser,
        x_NCHW: Tensor,
        sigmas: Tensor,
        *,
        noise: Noise | None = None,
        callback: Callback | None = None,
    ) -> Tensor: ...


SAMPLERS = Registry[Sampler]("sampler")


@SAMPLERS.register("heun")
def heun(
    denoiser: Denoiser,
    x_NCHW: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
) -> Tensor:
    """Second order, deterministic, two network calls a step but for the last: Karras et al. 2022, algorithm 1."""
    levels = _levels(sigmas)
    for step, (sigma, below) in enumerate(pairwise(levels)):
        clean = _clean(denoiser, x_NCHW, sigma)
        guess = _euler_step(x_NCHW, clean, sigma, below)
        if below > 0:
            slopes = (x_NCHW - clean) / sigma + (guess - _clean(denoiser, guess, below)) / below
            guess = x_NCHW + (below - sigma) / 2 * slopes
        x_NCHW = _told(callback, step, guess)
    return x_NCHW


@SAMPLERS.register("dpmpp_2m")
def dpmpp_2m(
    denoiser: Denoiser,
    x_NCHW: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
) -> Tensor:
    """Second order, deterministic, one network call a step: DPM-Solver++(2M), Lu et al. 2022, algorithm 2.

    With alpha = 1 and lambda = -ln sigma. First order in the first step and in the last, where lambda has no end.
    """
    levels = _levels(sigmas)
    before: tuple[float, Tensor] | None = None
    for step, (sigma, below) in enumerate(pairwise(levels)):
        clean = _clean(denoiser, x_NCHW, sigma)
        aim = clean
        if before is not None and below > 0:
            ratio = math.log(before[0] / sigma) / math.log(sigma / below)
            aim = clean + (clean - before[1]) / (2 * ratio)
        before = (sigma, clean)
        x_NCHW = _told(callback, step, (below / sigma) * x_NCHW + (1 - below / sigma) * aim)
    return x_NCHW


@SAMPLERS.register("euler")
def euler(
    denoiser: Denoiser,
    x_NCHW: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
) -> Tensor:
    """First order, deterministic: DDIM (Song et al. 2021) in the variance-exploding frame."""
    levels = _levels(sigmas)
    for step, (sigma, below) in enumerate(pairwise(levels)):
        x_NCHW = _told(callback, step, _euler_step(x_NCHW, _clean(denoiser, x_NCHW, sigma), sigma, below))
    return x_NCHW


@SAMPLERS.register("euler_ancestral")
def euler_ancestral(
    denoiser: Denoiser,
    x_NCHW: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
) -> Tensor:
    """First order, stochastic: DDPM's posterior (Ho et al. 2020, eq. 6, 7) for any two levels, taken as an Euler step.

    It goes down to sqrt(below² - fresh²) with fresh² = below² (sigma² - below²) / sigma², then adds fresh noise.
    Raises SettingsError without `noise`.
    """
    if noise is None:
        raise SettingsError("the sampler euler_ancestral adds noise in every step: give it noise, or take euler")
    levels = _levels(sigmas)
    for step, (sigma, below) in enumerate(pairwise(levels)):
        fresh = below * (1 - (below / sigma) ** 2) ** 0.5
        down = (below**2 - fresh**2) ** 0.5
        x_NCHW = _euler_step(x_NCHW, _clean(denoiser, x_NCHW, sigma), sigma, down)
        if fresh > 0:
            x_NCHW = x_NCHW + fresh * noise()
        x_NCHW = _told(callback, step, x_NCHW)
    return x_NCHW


def per_image_noise(seeds: Sequence[int], shape_CHW: tuple[int, int, int], device: torch.device) -> Noise:
    """Return a source of noise (N, C, H, W) in which each image has its own generator.

    So neither the batch an image is in nor its place there changes its noise; drawn on the CPU, so that the device
    does not either.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw() -> Tensor:
        return torch.stack([torch.randn(shape_CHW, generator=each) for each in generators]).to(device)

    return draw


def _levels(sigmas: Tensor) -> list[float]:
    levels: list[float] = sigmas.tolist()
    if len(levels) < 2 or any(low >= high for high, low in pairwise(levels)) or levels[-1] < 0:
        raise SettingsError(f"the noise levels must fall and not below 0, at least two of them; got {levels}")
    return levels


def _clean(denoiser: Denoiser, x: Tensor, sigma: float) -> Tensor:
    return denoiser(x, x.new_full((len(x),), sigma)).to(x.dtype)


def _euler_step(x: Tensor, clean: Tensor, sigma: float, below: float) -> Tensor:
    """Return x + (below - sigma) (x - clean) / sigma, written so that level 0 gives the clean estimate exactly."""
    return clean + (below / sigma) * (x - clean)


def _told(callback: Callback | None, step: int, x: Tensor) -> Tensor:
    if callback is not None:
        callback(step + 1, x)
    return x
