"""What makes a raw network a denoiser at every noise level: Karras et al. 2022 (EDM), section 5 and table 1.

`sigma_data` is the standard deviation of the clean data. Every function takes sigmas of any shape and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from flawsmith.core.protocols import Denoiser


def c_skip(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return how much of the noisy image the estimate keeps."""
    return sigma_data**2 / (sigma**2 + sigma_data**2)


def c_out(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return the factor of the network's output: it makes the training target's variance 1."""
    return sigma * sigma_data / (sigma**2 + sigma_data**2).sqrt()


def c_in(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return the factor of the network's input: it makes the noisy image's variance 1."""
    return 1 / (sigma**2 + sigma_data**2).sqrt()


def c_noise(sigma: Tensor) -> Tensor:
    """Return what the network is told of the noise level: ln(sigma) / 4."""
    return sigma.log() / 4


def loss_weight(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return the weight of the squared error of the clean estimate: 1 / c_out², so that every level counts alike."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def precondition(network: Callable[[Tensor, Tensor], Tensor], sigma_data: float) -> Denoiser:
    """Return the denoiser D(x, sigma) = c_skip x + c_out network(c_in x, c_noise): eq. 7.

    `network` takes the scaled noisy NCHW and c_noise of shape (N,).
    """

    def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
        sigma = sigma_N.reshape(-1, 1, 1, 1)
        raw = network(c_in(sigma, sigma_data) * x_NCHW, c_noise(sigma_N))
        return c_skip(sigma, sigma_data) * x_NCHW + c_out(sigma, sigma_data) * raw.to(x_NCHW.dtype)

    return denoise


def in_units(denoiser: Denoiser, units: Tensor) -> Denoiser:
    """Return the denoiser of an image measured in other units, which may differ from place to place.

    `units` broadcasts to NCHW. Noise of level sigma is then sigma * units in the image's own: `denoiser` is passed
    sigma as it is and must know. No sampler here can tell the difference: each is linear in image and noise together.
    """

    def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
        return denoiser(x_NCHW * units, sigma_N) / units

    return denoise


def training_sigmas(count: int, rng: torch.Generator, mean: float = -1.2, deviation: float = 1.2) -> Tensor:
    """Draw `count` noise levels for training, ln sigma ~ N(mean, deviation²), on the generator's device."""
    return (mean + deviation * torch.randn(count, generator=rng, device=rng.device)).exp()
