"""Noise levels from high to low, ready for a sampler: float64 tensors of shape (steps + 1,) that end in 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Return levels evenly spaced in sigma^(1/rho): Karras et al. 2022, eq. 5.

    >>> karras_sigmas(3, 1.0, 4.0, rho=1.0).tolist()
    [4.0, 2.5, 1.0, 0.0]
    """
    _check(steps, sigma_min, sigma_max)
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    top, bottom = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return _ended((top + ramp * (bottom - top)) ** rho)


def exponential_sigmas(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Return levels evenly spaced in log sigma: the limit of `karras_sigmas` for rho to infinity.

    >>> [round(sigma, 6) for sigma in exponential_sigmas(3, 1.0, 4.0).tolist()]
    [4.0, 2.0, 1.0, 0.0]
    """
    _check(steps, sigma_min, sigma_max)
    return _ended(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps, dtype=torch.float64).exp())


def linear_beta_sigmas(steps: int, betas: int = 1000, beta_first: float = 1e-4, beta_last: float = 0.02) -> Tensor:
    """Return `steps` of the levels of DDPM's linear schedule (Ho et al. 2020, section 4), evenly spaced in its time.

    In variance-exploding form: sigma = sqrt((1 - abar) / abar), with abar the product of 1 - beta (Song et al. 2021).
    Raises SettingsError unless 1 <= steps <= betas.
    """
    if not 1 <= steps <= betas:
        raise SettingsError(f"got {steps} steps of a schedule that has {betas}: expected 1 to {betas}")
    beta = torch.linspace(beta_first, beta_last, betas, dtype=torch.float64)
    kept = torch.cumprod(1 - beta, 0)
    times = torch.linspace(betas - 1, 0, steps, dtype=torch.float64).round().long()
    return _ended((((1 - kept) / kept).sqrt())[times])


def _check(steps: int, sigma_min: float, sigma_max: float) -> None:
    if steps < 1 or not 0 < sigma_min <= sigma_max:
        got = f"steps={steps}, sigma_min={sigma_min}, sigma_max={sigma_max}"
        raise SettingsError(f"got {got}: expected at least one step and 0 < sigma_min <= sigma_max")


def _ended(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])
