"""Bending one shape into another: what a training defect needs to lie exactly under the mask that is asked for.

A mask turned, resized and elastically bent no longer meets the defect it was drawn from, least of all a thin one: two
pixels beside a crack of two pixels there is nothing of it. Demons (Thirion 1998, doi:10.1016/S1361-8415(98)80022-4) on
signed distances, begun with the middles of both together: each round pushes along the slope of the moving picture by
what is still missing, then smooths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from flawsmith.core.records import Mask

Field = NDArray[np.float64]
"""Displacements (2, H, W): rows, columns."""

ROUNDS = 20
NEAR_PX = 4.0
"""Pixels further than this from both outlines hardly count."""
MOST_PX = 1.5
"""A round moves nothing further than this."""


def bend(shown: Mask, wanted: Mask, smooth_px: float) -> Field:
    """Return how far from each pixel of `wanted` to look into `shown` (both HW) to see the shape of `wanted`.

    The field (2, H, W), in px, is smooth over about `smooth_px`; it is 0 where either mask is empty.
    """
    if not (shown.any() and wanted.any()):
        return np.zeros((2, *wanted.shape))
    field = np.zeros((2, *wanted.shape)) + (_middle(shown) - _middle(wanted))[:, None, None]
    moving, target = _signed_distance(shown), _signed_distance(wanted)
    grid = np.indices(wanted.shape).astype(float)
    weight = np.exp(-((np.clip(target, 0, None) / NEAR_PX) ** 2)) + 1e-4
    spread = gaussian_filter(weight, smooth_px)
    for _ in range(ROUNDS):
        seen = _look_up(moving, grid + field)
        missing, slope = seen - target, np.stack([np.gradient(seen, axis=axis) for axis in (0, 1)])
        push = missing * slope / np.maximum((slope**2).sum(0) + (missing / MOST_PX) ** 2, 1e-6)
        field = gaussian_filter(weight * (field - push), (0, smooth_px, smooth_px)) / spread
    return field


def _middle(mask: Mask) -> NDArray[np.float64]:
    """Return the mean row and column of a mask that is not empty."""
    return np.asarray(np.argwhere(mask).mean(0))


def _signed_distance(mask: Mask) -> NDArray[np.float64]:
    """Return the distance (HW, px) to the mask's outline, negative inside."""
    outside = np.asarray(distance_transform_edt(~mask)) - 0.5
    return np.where(mask, 0.5 - np.asarray(distance_transform_edt(mask)), outside)


def _look_up(values: NDArray[np.float64], places: Field) -> NDArray[np.float64]:
    return np.asarray(map_coordinates(values, places, order=1, mode="nearest"))
