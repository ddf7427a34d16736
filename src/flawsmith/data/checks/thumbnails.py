"""Pictures of 32 x 32 pixels: all that is kept of an image to compare it with the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from flawsmith.core.records import Image

SIDE = 32
Thumbnail = NDArray[np.float16]
"""(32, 32), mean 0 and deviation 1: brightness and contrast do not count."""


def grey(image: Image) -> NDArray[np.float32]:
    """Return the grey levels (HW) of an HWC image in [0, 1]."""
    return np.asarray(image.mean(axis=2, dtype=np.float32) / np.iinfo(image.dtype).max, np.float32)


def thumbnail(image: Image) -> NDArray[np.float32]:
    """Return an HWC image as 32 x 32 grey levels in [0, 1], each the mean of its part of the picture."""
    small = Picture.fromarray(grey(image)).resize((SIDE, SIDE), Picture.Resampling.BOX)
    return np.asarray(small, np.float32)
