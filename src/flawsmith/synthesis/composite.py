"""Returning a painted crop into the camera's image: exact outside the feather, at the image's own size and depth."""

from __future__ import annotations

import numpy as np

from flawsmith.core.geometry import Window
from flawsmith.core.records import Image, Painting
from flawsmith.core.settings import Settings
from flawsmith.masks.morphology import feather


class CompositeSettings(Settings):
    """How far a painting reaches beyond its mask."""

    core_px: float = 1.0
    """Distance from the mask within which the painting replaces the background fully."""
    feather_px: float = 2.0
    """Width beyond that over which it fades to the background; further out nothing changes."""


def composite(image: Image, window: Window, painting: Painting, settings: CompositeSettings) -> Image:
    """Return a copy of `image` (HWC) with the painting blended in around its mask, or in place of the window's pixels
    where it is one of the whole.

    Blended, pixels further from the mask than `core_px + feather_px` keep their exact values.
    """
    result = image.copy()
    if painting.whole:
        window.cut(result)[:] = painting.image
        return result
    if not painting.mask.any():
        return result
    alpha = feather(painting.mask, settings.core_px, settings.feather_px)[..., None]
    background = window.cut(image).astype(np.float32)
    blended = background + alpha * (painting.image.astype(np.float32) - background)
    top = np.iinfo(image.dtype).max
    values = np.clip(np.rint(blended), 0, top).astype(image.dtype)
    window.cut(result)[:] = np.where(alpha > 0, values, window.cut(image))
    return result
