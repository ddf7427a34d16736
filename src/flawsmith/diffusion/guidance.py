"""Steering a denoiser towards its condition."""

from __future__ import annotations

from torch import Tensor

from flawsmith.core.protocols import Denoiser


def classifier_free(
    conditional: Denoiser,
    unconditional: Denoiser,
    scale: float,
    sigma_interval: tuple[float, float] | None = None,
) -> Denoiser:
    """Return unconditional + scale (conditional - unconditional): Ho & Salimans 2022, eq. 6 with scale = 1 + w.

    `sigma_interval` (low, high] guides only at those noise levels (Kynkäänniemi et al. 2024, eq. 5); elsewhere, and
    everywhere at scale 1, only `conditional` is called. At scale 0 only `unconditional` counts.
    All images of a call are taken to be at one level, as samplers do.
    """
    low, high = sigma_interval if sigma_interval is not None else (-1.0, float("inf"))

    def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
        towards = conditional(x_NCHW, sigma_N)
        if scale == 1 or not low < float(sigma_N[0]) <= high:
            return towards
        plain = unconditional(x_NCHW, sigma_N)
        return plain + scale * (towards - plain)

    return denoise
