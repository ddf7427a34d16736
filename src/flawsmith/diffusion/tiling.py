"""A canvas larger than the network's window: overlapping windows, denoised in one batch and averaged.

MultiDiffusion (Bar-Tal et al. 2023, eq. 5): at every noise level the estimate that agrees best, in weighted least
squares, with those of all windows is their weighted mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Denoiser

Windows = Callable[[Tensor, Tensor], Tensor]
"""(windows of the canvas (W, C, side, side) in order, sigma (W,)) -> their clean estimates."""


def blend_weight(side: int) -> Tensor:
    """Return the weight of a window's pixels, shape (side, side): a cosine bell, 1 amid, barely above 0 at the rim."""
    across = torch.sin((torch.arange(side, dtype=torch.float64) + 0.5) * (math.pi / side)) ** 2
    return (across[:, None] * across).float().clamp(min=1e-4)


def cover(mask: NDArray[np.bool_], side: int, stride: int) -> list[Window]:
    """Return few square windows, inside the canvas, that cover every True pixel of `mask` (H, W).

    Rows of windows lie `stride` apart at most, and within a row the windows do; where a row has no True pixels, none
    are laid. Windows overlap by at least `side - stride` where they meet.
    Raises SettingsError when the canvas is smaller than a window, or not 1 <= stride <= side.
    """
    height, width = mask.shape
    if min(height, width) < side or not 1 <= stride <= side:
        raise SettingsError(
            f"cannot cover {height}x{width} by windows of {side} every {stride}: "
            "expected a canvas at least as large as a window, and 1 <= stride <= side"
        )
    windows = []
    for top, bottom in _spans(np.any(mask, axis=1), side, stride):
        band = np.any(mask[top:bottom], axis=0)
        windows += [Window(top, left, bottom, right) for left, right in _spans(band, side, stride)]
    return windows


def _spans(wanted: NDArray[Any], side: int, stride: int) -> list[tuple[int, int]]:
    """Return spans of length `side` over every True entry: one centred on a short run, several evenly on a long one.

    Gaps wider than a span part two runs.
    """
    places = np.flatnonzero(wanted)
    if not len(places):
        return []
    starts: list[int] = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > side) + 1):
        extent = int(run[-1] - run[0]) + 1
        excess, slack = max(extent - side, 0), max(side - extent, 0)
        first = int(run[0]) - slack // 2
        starts += np.linspace(first, first + excess, 1 + math.ceil(excess / stride)).round().astype(int).tolist()
    inside = [min(max(start, 0), len(wanted) - side) for start in starts]
    return [(start, start + side) for start in dict.fromkeys(inside)]


def tiled(denoise_windows: Windows, windows: Sequence[Window], weight: Tensor | None = None) -> Denoiser:
    """Return a denoiser of a canvas (1, C, H, W) made of one of its windows, all of one size, called in one batch.

    `weight` (side, side) is a pixel's say in the average, by default `blend_weight`. Pixels that no window covers keep
    their noisy value, as if no noise were on them: cover what matters (`cover`), and replace the rest (`keep_known`).
    Raises SettingsError without windows, or with windows that are not equal squares.
    """
    sizes = {window.size_hw for window in windows}
    if len(sizes) != 1 or len(set(next(iter(sizes)))) != 1:
        raise SettingsError(f"got windows of the sizes {sorted(sizes)}: expected equal squares, at least one")
    bell = blend_weight(next(iter(sizes))[0]) if weight is None else weight

    def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
        crops = torch.cat([_cut(x_NCHW, window) for window in windows])
        estimates = denoise_windows(crops, sigma_N.expand(len(windows)))
        total, share = torch.zeros_like(x_NCHW), torch.zeros_like(x_NCHW[:, :1])
        say = bell.to(x_NCHW)
        for window, estimate in zip(windows, estimates, strict=True):
            _cut(total, window).add_(estimate * say)
            _cut(share, window).add_(say)
        return torch.where(share > 0, total / share.clamp(min=1e-12), x_NCHW)

    return denoise


def _cut(x: Tensor, window: Window) -> Tensor:
    return x[..., window.top : window.bottom, window.left : window.right]
