"""Tones: pixels as logarithms of intensity, in which a change of exposure is a mere shift."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from flawsmith.core.records import Image

Plate = NDArray[np.float32]

TOE = 0.1
"""Share of the full range added before the logarithm: keeps the noise of dark pixels from filling the scale."""


def plate_of(image: Image, channels: int) -> Plate:
    """Return an HWC picture of any depth as float32 tones in [log(TOE / (1 + TOE)), 0] with `channels` channels."""
    share = image.astype(np.float32) * np.float32(1 / np.iinfo(image.dtype).max)
    plate = np.asarray(np.log((share + np.float32(TOE)) / np.float32(1 + TOE)), np.float32)
    if plate.shape[2] == channels:
        return plate
    return plate.mean(2, keepdims=True) if channels == 1 else np.repeat(plate, channels, 2)


def picture_of(plate: Plate, dtype: DTypeLike) -> Image:
    """Return tones as a picture of an unsigned integer type; what is out of range is clipped."""
    top = np.iinfo(np.dtype(dtype)).max
    share = np.exp(plate.astype(np.float64)) * (1 + TOE) - TOE
    return np.clip(np.rint(share * top), 0, top).astype(dtype)


def pictures_of(tones: Tensor) -> Tensor:
    """Return tones as pictures in [-1, 1], as networks that others have learnt see them; what is out of range is
    clipped.
    """
    return (2 * (tones.exp() * (1 + TOE) - TOE) - 1).clamp(-1, 1)


def tones_of(pictures: Tensor) -> Tensor:
    """Return the tones of pictures in [-1, 1].

    >>> import torch
    >>> torch.allclose(pictures_of(tones_of(torch.tensor([-1.0, 0.3, 1.0]))), torch.tensor([-1.0, 0.3, 1.0]))
    True
    """
    return (((pictures.clamp(-1, 1) + 1) / 2 + TOE) / (1 + TOE)).log()
