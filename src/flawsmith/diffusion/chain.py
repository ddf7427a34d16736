"""Networks that count noise in steps, as DDPM does: how they learn, and how they become denoisers of any level.

A chain of T steps keeps the share `kept` (abar, falling) of the signal's variance: x_t = sqrt(abar) clean +
sqrt(1 - abar) noise (Ho et al. 2020, eq. 4). Samplers work in the variance-exploding frame, x / sqrt(abar), where the
level is sigma = sqrt((1 - abar) / abar) (Song et al. 2021, section 3.4). Both frames meet here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.protocols import Denoiser
from flawsmith.diffusion.schedules import karras_sigmas

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What a network gives: the noise (Ho et al. 2020), the velocity (Salimans & Ho 2022, eq. 9), or the clean image."""
Stepwise = Callable[[Tensor, Tensor], Tensor]
"""(noisy NCHW of unit variance, steps or times (N,)) -> prediction NCHW; conditions are closed over."""


@dataclass(frozen=True)
class Chain:
    """A chain by the signal's variance kept after each step, `kept_T` (T,), float64, falling from near 1.

    `clip` bounds clean estimates to [-clip, clip]; None leaves them alone. Raises SettingsError unless `kept_T` falls
    within (0, 1].
    """

    kept_T: Tensor
    prediction: Prediction = "epsilon"
    clip: float | None = 1.0

    def __post_init__(self) -> None:
        kept = self.kept_T
        falls = len(kept) > 1 and bool((kept.diff() < 0).all()) and 0 <= float(kept[-1]) < float(kept[0]) < 1
        if kept.dtype != torch.float64 or not falls:
            raise SettingsError(
                f"a chain keeps float64 shares of the signal that fall from below 1, at least two of them; "
                f"got {len(kept)} of {kept.dtype}: check the number of steps and the betas"
            )

    @classmethod
    def of_betas(cls, betas_T: Tensor, prediction: Prediction = "epsilon", clip: float | None = 1.0) -> Chain:
        """Return the chain of the noise variances added in each step; products are taken in float64.

        In float32 the product over 14,000 linear steps reaches 0, and ratios of it are no numbers.
        """
        return cls(torch.cumprod(1 - betas_T.double().cpu(), 0), prediction, clip)

    def __len__(self) -> int:
        return len(self.kept_T)

    @cached_property
    def levels_T(self) -> Tensor:
        """The noise level sigma after each step, rising."""
        return ((1 - self.kept_T) / self.kept_T).sqrt()

    def noised(self, clean: Tensor, noise: Tensor, steps_N: Tensor) -> Tensor:
        """Return x_t of unit variance: Ho et al. 2020, eq. 4."""
        signal, spread = self._shares(clean, steps_N)
        return signal * clean + spread * noise

    def target(self, clean: Tensor, noise: Tensor, steps_N: Tensor) -> Tensor:
        """Return what the network shall predict."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return clean
        signal, spread = self._shares(clean, steps_N)
        return signal * noise - spread * clean

    def _shares(self, like: Tensor, steps_N: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept_T[steps_N.cpu()].to(like.device).reshape(-1, *[1] * (like.ndim - 1))
        return kept.sqrt().to(like.dtype), (1 - kept).sqrt().to(like.dtype)

    def steps_at(self, sigma_N: Tensor) -> Tensor:
        """Return the steps (N,) whose levels are nearest to these, in ratio: the network knows whole steps only."""
        logs, wanted = self.levels_T.log(), sigma_N.detach().double().cpu().log()
        above = torch.searchsorted(logs, wanted).clamp(1, len(self) - 1)
        below_is_nearer = wanted - logs[above - 1] < logs[above] - wanted
        return (above - below_is_nearer.long()).to(sigma_N.device)

    def times_at(self, sigma_N: Tensor) -> Tensor:
        """Return the times (N,) at which the chain is at these levels: steps and, in ratio, fractions between them.

        For networks that are told the time by sines of it. Levels beyond the chain's count as its ends.
        """
        logs, wanted = self.levels_T[self.levels_T.isfinite()].log(), sigma_N.detach().double().cpu().log()
        above = torch.searchsorted(logs, wanted).clamp(1, len(logs) - 1)
        share = (wanted - logs[above - 1]) / (logs[above] - logs[above - 1])
        return (above - 1 + share.clamp(0, 1)).to(sigma_N.device, torch.float32)

    def denoiser(self, network: Stepwise, *, fractions: bool = False) -> Denoiser:
        """Return the denoiser that the network is, in the samplers' frame.

        With `fractions` it is told times (`times_at`), without whole steps.
        """
        told = self.times_at if fractions else self.steps_at

        def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            sigma = sigma_N.double().reshape(-1, 1, 1, 1)
            unit = (1 + sigma**2).rsqrt()
            scaled = (x_NCHW * unit).to(x_NCHW.dtype)
            said = network(scaled, told(sigma_N)).double()
            clean = self._clean(x_NCHW.double(), said, sigma, unit)
            bounded = clean if self.clip is None else clean.clamp(-self.clip, self.clip)
            return bounded.to(x_NCHW.dtype)

        return denoise

    def _clean(self, x: Tensor, said: Tensor, sigma: Tensor, unit: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return x - sigma * said
        return said if self.prediction == "sample" else unit**2 * x - sigma * unit * said

    def start(self, noise_NCHW: Tensor, sigmas: Tensor) -> Tensor:
        """Return what sampling along `sigmas` begins with: noise of unit variance, in the samplers' frame."""
        return (noise_NCHW.double() * math.hypot(1, float(sigmas[0]))).to(noise_NCHW.dtype)

    def sigmas(self, count: int, sigma_max: float | None = None, rho: float = 7.0) -> Tensor:
        """Return at most `count` of the chain's own levels up to `sigma_max`, falling, and 0 at the end.

        They follow Karras et al. 2022, eq. 5, as nearly as whole steps can; where `count` is the chain's length or
        more, they are all of them. Raises SettingsError where the chain has no two levels up to `sigma_max`.
        """
        most = float("inf") if sigma_max is None else sigma_max
        within = self.levels_T[(self.levels_T <= most) & self.levels_T.isfinite()]
        if count < 1 or len(within) < 2:
            raise SettingsError(
                f"got {count} steps up to the level {most:g} of a chain whose lowest is {float(self.levels_T[0]):.3g}: "
                "expected at least one step, and a higher level"
            )
        if count < len(within):
            wanted = karras_sigmas(count, float(within[0]), float(within[-1]), rho)[:-1]
            within = self.levels_T[self.steps_at(wanted).unique()]  # type: ignore[no-untyped-call]
        return torch.cat([within.flip(0), within.new_zeros(1)])


def fixed_batches(network: Stepwise, size: int) -> Stepwise:
    """Return the network called on `size` images at a time, always: the last call repeats its last image.

    Kernels, and so the last bits of a result, can depend on the batch size. Conditions must be one for all images.
    """

    def call(x_NCHW: Tensor, steps_N: Tensor) -> Tensor:
        parts = []
        for first in range(0, len(x_NCHW), size):
            rows = torch.arange(first, first + size, device=x_NCHW.device).clamp(max=len(x_NCHW) - 1)
            parts.append(network(x_NCHW[rows], steps_N[rows]))
        return torch.cat(parts)[: len(x_NCHW)]

    return call
