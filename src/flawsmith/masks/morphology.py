"""Growing, feathering, cutting and pasting masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.geometry import Window
from flawsmith.core.records import Mask


def tight(mask: Mask) -> Window:
    """Return the smallest window that holds every True pixel of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Window(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def extent_px(mask: Mask) -> int:
    """Return the longer side of the smallest box around a mask, 0 if it is empty."""
    return max(tight(mask).size_hw) if mask.any() else 0


def thickness_px(mask: Mask) -> float:
    """Return how thick a mask is, 0 if it is empty: four times the mean distance of its pixels to its outline.

    Of a line that is its width, of a disc two thirds of its diameter.

    >>> thickness_px(np.ones((2, 200), bool))
    2.0
    """
    if not mask.any():
        return 0.0
    alone = np.pad(tight(mask).cut(mask), 1)
    return 4 * float(ndimage.distance_transform_edt(alone)[alone].mean() - 0.5)


def dilate(mask: Mask, radius_px: float) -> Mask:
    """Return every pixel within `radius_px` (Euclidean) of the mask."""
    if radius_px <= 0 or not mask.any():
        return mask.copy()
    near = _margin(tight(mask), int(np.ceil(radius_px)) + 1, mask.shape)
    result = mask.copy()
    near.cut(result)[:] = ndimage.distance_transform_edt(~near.cut(mask)) <= radius_px
    return result


def feather(mask: Mask, core_px: float, width_px: float) -> NDArray[np.float32]:
    """Return weights HW in [0, 1]: 1 within `core_px` of the mask, exactly 0 from `core_px + width_px` on.

    Between the two they fall along half a cosine.
    """
    weights = np.zeros(mask.shape, np.float32)
    if not mask.any():
        return weights
    near = _margin(tight(mask), int(np.ceil(core_px + width_px)) + 1, mask.shape)
    distance = ndimage.distance_transform_edt(~near.cut(mask))
    along = np.clip((distance - core_px) / max(width_px, 1e-6), 0, 1)
    near.cut(weights)[:] = np.where(along < 1, 0.5 + 0.5 * np.cos(np.pi * along), 0)
    return weights


def paste(cutout: Mask, top: int, left: int, size_hw: tuple[int, int]) -> Mask:
    """Return a mask of `size_hw` with the cutout's upper left corner at (top, left)."""
    result = np.zeros(size_hw, bool)
    result[top : top + cutout.shape[0], left : left + cutout.shape[1]] = cutout
    return result


def clusters(mask: Mask, apart: float = 0.25) -> list[Mask]:
    """Return the parts of a mask that lie apart: further than `apart` of the larger part's extent, 4 px at least.

    Fragments of one crack stay together; two pits at opposite ends of a part are two defects.
    """
    numbers, count = ndimage.label(mask, np.ones((3, 3)))
    parts = [np.asarray(numbers == number) for number in range(1, count + 1)]
    parts.sort(key=lambda part: -int(part.sum()))
    joined: list[Mask] = []
    while parts:
        group = parts.pop(0)
        while True:
            near = dilate(group, max(4.0, apart * extent_px(group)))
            touching = [part for part in parts if (part & near).any()]
            if not touching:
                break
            parts = [part for part in parts if not any(part is each for each in touching)]
            group = np.logical_or.reduce([group, *touching])
        joined.append(group)
    return joined


def _margin(window: Window, margin: int, size_hw: tuple[int, ...]) -> Window:
    return Window(
        max(0, window.top - margin),
        max(0, window.left - margin),
        min(size_hw[0], window.bottom + margin),
        min(size_hw[1], window.right + margin),
    )
