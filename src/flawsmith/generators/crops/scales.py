"""At which scales a defect is seen: the crop follows the defect's size, from a coarse view down to the camera's own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import Box

RATIO = 2.5
"""The next finer scale shows a defect at most this much larger."""


def pyramid(extent_px: float, side: int, fill: float) -> tuple[float, ...]:
    """Return the scales (camera pixels per network pixel) at which a defect of this extent is painted, coarse first.

    At the first scale the defect takes at most `fill` of the crop's `side`; the last is 1, the camera's own.

    >>> pyramid(10, 64, 0.6)
    (1.0,)
    >>> [round(scale, 2) for scale in pyramid(200, 64, 0.6)]
    [5.21, 2.28, 1.0]
    """
    coarsest = max(1.0, extent_px / (fill * side))
    steps = math.ceil(math.log(coarsest) / math.log(RATIO) - 1e-9)
    return (*(coarsest ** ((steps - step) / steps) for step in range(steps)), 1.0)


def crop_around(box_xyxy: Box, scale: float, side: int, size_hw: tuple[int, int]) -> Window:
    """Return the window of an image that a crop of `side` network pixels shows at `scale`, centred on a box."""
    left, top, right, bottom = box_xyxy
    wanted = round(side * scale)
    return window_around(((top + bottom) / 2, (left + right) / 2), (wanted, wanted), size_hw)


def shrink(image: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Resize an HWC or HW float image with anti-aliasing (area average where it shrinks)."""
    if image.shape[:2] == size_hw:
        return image
    smaller = size_hw[0] < image.shape[0]
    options = {"order": 1, "mode": "reflect", "anti_aliasing": smaller, "preserve_range": True}
    return np.asarray(resize(image, size_hw, **options), np.float32)  # type: ignore[no-untyped-call]


def shrink_mask(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask; thin lines stay: a pixel that a third of the mask covers belongs to it."""
    if mask.shape == size_hw:
        return mask
    covered = shrink(mask.astype(np.float32), size_hw)
    return np.asarray(covered > min(0.33, 0.8 * float(covered.max())))


def scaled_hw(size_hw: tuple[int, int], scale: float, at_least: int = 1) -> tuple[int, int]:
    """Return the size of an image seen at `scale`, at least `at_least` on each side."""
    return max(at_least, round(size_hw[0] / scale)), max(at_least, round(size_hw[1] / scale))
