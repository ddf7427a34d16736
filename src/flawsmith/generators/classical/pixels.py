"""Between whole-number pixels and floats: depth, channels, and blending that leaves untouched pixels untouched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.records import Image

Plate = NDArray[np.float32]
"""HWC in [0, 1]."""

_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)
"""Rec. 601 weights."""


def to_plate(image: Image, channels: int) -> Plate:
    """Return an image as floats in [0, 1] with 1 or 3 channels, whatever it has."""
    plate = image.astype(np.float32) / np.iinfo(image.dtype).max
    if plate.shape[2] == channels:
        return np.asarray(plate, np.float32)
    return np.asarray(plate @ _LUMA if channels == 1 else np.repeat(plate, 3, 2), np.float32)


def lay_over(background: Image, plate: Plate, alpha_HW: NDArray[np.float32]) -> Image:
    """Return the background with `plate` laid over it, exactly the background where `alpha_HW` is 0."""
    top = np.iinfo(background.dtype).max
    alpha = alpha_HW[..., None]
    below = background.astype(np.float32)
    mixed = np.clip(np.rint(below + alpha * (plate * np.float32(top) - below)), 0, top)
    result: Image = np.where(alpha > 0, mixed, below).astype(background.dtype)
    return result
