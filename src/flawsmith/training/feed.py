"""The border between arrays and tensors: HWC uint8 or uint16 on one side, NCHW float32 in [-1, 1] on the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from flawsmith.core.errors import ImageError

_GREY_FROM_RGB = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow


def to_tensor(images: Sequence[NDArray[Any]] | NDArray[Any], channels: int) -> Tensor:
    """Return equally large HWC (or HW) uint8 or uint16 images as one NCHW float32 tensor in [-1, 1].

    Grey becomes RGB by repetition, RGB becomes grey by its luma (BT.601), when `channels` (1 or 3) asks for it.
    Raises ImageError for another type, depth, or number of channels, or images of several sizes.
    """
    if channels not in (1, 3):
        raise ImageError(f"asked for {channels} channels, expected 1 or 3")
    parts = [_floats(np.asarray(each), channels) for each in images]
    sizes = {part.shape for part in parts}
    if len(sizes) != 1:
        raise ImageError(f"a batch needs images of one size, got {sorted(sizes) or 'none'}: cut or resize them first")
    stack_NHWC = torch.from_numpy(np.stack(parts))
    return stack_NHWC.permute(0, 3, 1, 2).contiguous()


def to_image(x_NCHW: Tensor, dtype: DTypeLike) -> NDArray[Any]:
    """Return a float tensor in [-1, 1] as NHWC images of `dtype` uint8 or uint16: values outside are clipped.

    Rounds to the nearest level, halves away from zero; the exact inverse of `to_tensor`.

    >>> to_image(torch.tensor([-1.0, 0.0, 2.0]).view(1, 1, 1, 3), np.uint8).ravel().tolist()
    [0, 128, 255]
    """
    top = _top(np.dtype(dtype))
    unit = x_NCHW.detach().to("cpu", torch.float64).add(1).mul(top / 2).add(0.5).floor().clamp(0, top)
    return np.ascontiguousarray(unit.permute(0, 2, 3, 1).numpy().astype(dtype))


def resized(x_NCHW: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Return images at another size (bicubic, averaged where they shrink), within [-1, 1]."""
    if tuple(x_NCHW.shape[2:]) == tuple(size_hw):
        return x_NCHW
    return F.interpolate(x_NCHW, size_hw, mode="bicubic", antialias=True).clamp(-1, 1)


def in_channels(x_NCHW: Tensor, channels: int) -> Tensor:
    """Return images with 1 or 3 channels, by the same rules as `to_tensor`."""
    if x_NCHW.shape[1] == channels:
        return x_NCHW
    if channels == 3:
        return x_NCHW.expand(-1, 3, -1, -1)
    luma = torch.from_numpy(_GREY_FROM_RGB).to(x_NCHW).reshape(1, 3, 1, 1)
    return (x_NCHW * luma).sum(1, keepdim=True)


def _floats(image: NDArray[Any], channels: int) -> NDArray[np.float32]:
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ImageError(f"got an image of shape {image.shape}, expected height x width x 1 or 3 channels")
    values: NDArray[np.float32] = image.astype(np.float32) * np.float32(2 / _top(image.dtype)) - np.float32(1)
    if channels == 1 and image.shape[2] == 3:
        grey: NDArray[np.float32] = np.sum(values * _GREY_FROM_RGB, axis=2, keepdims=True, dtype=np.float32)
        return grey
    return np.repeat(values, 3, axis=2) if channels > image.shape[2] else values


def _top(dtype: np.dtype[Any]) -> int:
    if dtype not in (np.uint8, np.uint16):
        raise ImageError(f"images of type {dtype} are not understood: expected uint8 or uint16")
    return int(np.iinfo(dtype).max)
