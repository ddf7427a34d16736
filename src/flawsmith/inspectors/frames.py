"""Whole images brought to one square: as large as fits, the rest filled by repeating the edge."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from flawsmith.core.geometry import Window
from flawsmith.core.records import Image, Mask
from flawsmith.training.feed import to_tensor


def framed(image: Image, size: int, channels: int) -> NDArray[np.float32]:
    """Return an HWC uint8 or uint16 image as (size, size, channels) in [-1, 1]."""
    square: NDArray[np.float32] = squared(to_tensor([image], channels), size)[0].permute(1, 2, 0).numpy()
    return square


def framed_mask(mask: Mask, size: int) -> Mask:
    """Return an HW mask the same way (size, size): True wherever anything of it remains."""
    parts = torch.from_numpy(mask.astype(np.float32))[None, None]
    return np.asarray(squared(parts, size)[0, 0].numpy() > 0)


def squared(x_NCHW: Tensor, size: int) -> Tensor:
    """Resize a float tensor until its longer side is `size`, without aliasing, and repeat its edges to a square."""
    place = _place((x_NCHW.shape[-2], x_NCHW.shape[-1]), size)
    small = F.interpolate(x_NCHW, place.size_hw, mode="bilinear", antialias=True)
    margins = (place.left, size - place.right, place.top, size - place.bottom)
    return F.pad(small, margins, mode="replicate")


def unsquared(x_NCSS: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Bring what was found on a square back to the image of `size_hw` that it was made of: (N, C, H, W)."""
    inside = _place(size_hw, x_NCSS.shape[-1])
    cut = x_NCSS[..., inside.top : inside.bottom, inside.left : inside.right]
    return F.interpolate(cut, size_hw, mode="bilinear", align_corners=False)


def _place(size_hw: tuple[int, int], size: int) -> Window:
    """Return where the picture lies in its square."""
    height, width = size_hw
    rows, columns = (max(1, round(side * size / max(height, width))) for side in (height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    return Window(top, left, top + rows, left + columns)
