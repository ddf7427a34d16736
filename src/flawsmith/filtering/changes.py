"""Which pixels a painting changed: the mask that the picture itself shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.records import Image, Mask

SMOOTHING_PX = 0.8
SHARE = 0.3
"""A pixel counts as changed from this share of the strongest change (its 97th percentile) on."""
PERCENTILE = 97.0
LEAST_REACH_PX, MOST_REACH_PX = 3, 12
NOISE_SIGMA_PX = 3.0
NOISE_RATIO = 2.0
"""Painting the same texture anew, with other grain, changes pixels by up to about 1.7 standard deviations of it."""
PINHOLE_SHARE = 0.02


def changed_mask(background: Image, painted: Image, near: Mask) -> Mask:
    """Return the pixels (HW bool) that differ between two crops (HWC, same shape) in or near the mask `near`.

    Changed are pixels whose smoothed difference exceeds 30 % of its 97th percentile near the mask; parts that do not
    touch the mask's neighbourhood are dropped, pinholes filled. Multiplying both crops by a number changes nothing.
    Empty where no change rises above the noise of the background.
    """
    change = ndimage.gaussian_filter(difference(background, painted), SMOOTHING_PX)
    around = dilated(near, reach(near))
    if not around.any():
        return np.zeros_like(near)
    strongest = float(np.percentile(change[around], PERCENTILE))
    if strongest <= NOISE_RATIO * local_noise(background, ~around) or strongest == 0:
        return np.zeros_like(near)
    parts, _ = ndimage.label(change > SHARE * strongest, structure=np.ones((3, 3), int))
    touching = np.setdiff1d(parts[around], 0)
    return _without_pinholes(np.isin(parts, touching))


def difference(background: Image, painted: Image) -> NDArray[np.float64]:
    """Return the absolute difference of two HWC images, averaged over channels (HW), in their own units."""
    return np.asarray(np.abs(painted.astype(np.float64) - background.astype(np.float64)).mean(2))


def local_noise(image: Image, where: Mask) -> float:
    """Return the robust standard deviation of an HWC image's texture in `where`, in the image's own units.

    Texture is what remains of the grey image without its local mean. With nothing in `where`, the whole image counts.
    """
    grey = image.astype(np.float64).mean(2)
    texture = grey - ndimage.gaussian_filter(grey, NOISE_SIGMA_PX)
    values = texture[where] if where.any() else texture.ravel()
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def reach(mask: Mask) -> int:
    """Return how far from a mask (in pixels) its change may reach: a quarter of its mean side, from 3 to 12."""
    return int(np.clip(round(float(np.sqrt(mask.sum())) / 4), LEAST_REACH_PX, MOST_REACH_PX))


def dilated(mask: Mask, radius_px: float) -> Mask:
    """Return the pixels within `radius_px` of a mask."""
    if not mask.any():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius_px)


def _without_pinholes(mask: Mask) -> Mask:
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    if not count:
        return mask
    sizes = np.bincount(holes.ravel())
    small = np.flatnonzero(sizes <= max(4, PINHOLE_SHARE * int(mask.sum())))
    return np.asarray(mask | np.isin(holes, small[small > 0]))
