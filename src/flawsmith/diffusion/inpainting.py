"""Painting only inside a mask."""

from __future__ import annotations

from torch import Tensor

from flawsmith.core.protocols import Denoiser


def keep_known(denoiser: Denoiser, known_NCHW: Tensor, mask_N1HW: Tensor) -> Denoiser:
    """Return a denoiser whose clean estimate is exactly `known` where the (bool) mask is False.

    Every sampler here gives the clean estimate of the last level when it ends at 0: the result equals `known` there.
    """
    wanted = mask_N1HW.bool()

    def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
        return denoiser(x_NCHW, sigma_N).where(wanted, known_NCHW)

    return denoise
