"""Whole images brought to one square: as large as fits, the rest filled by repeating the edge."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

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
    height, width = x_NCHW.shape[-2:]
    rows, columns = (max(1, round(side * size / max(height, width))) for side in (height, width))
    small = F.interpolate(x_NCHW, (rows, columns), mode="bilinear", antialias=True)
    top, left = (size - rows) // 2, (size - columns) // 2
    return F.pad(small, (left, size - columns - left, top, size - rows - top), mode="replicate")
