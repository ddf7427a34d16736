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


def region_of(asked: Tensor, margin: int) -> Tensor:
    """Return the (N, 1, S, S) region repainted around what is asked for: dilated by `margin` pixels, step by step."""
    grown = asked > 0
    for _ in range(margin):  # a boolean plus is many times faster than pooling, which a step of training would feel
        plus = grown.clone()
        plus[..., 1:, :] |= grown[..., :-1, :]
        plus[..., :-1, :] |= grown[..., 1:, :]
        plus[..., 1:] |= grown[..., :-1]
        plus[..., :-1] |= grown[..., 1:]
        grown = plus
    return grown.to(asked.dtype)


def mean_inside(error: Tensor, region: Tensor) -> Tensor:
    """Return the mean of (N, 1, S, S) errors inside a region, shape (N,)."""
    return (error * region).sum((1, 2, 3)) / region.sum((1, 2, 3)).clamp(min=1)
