"""A camera over the demo part: optics, exposure, shift, sensor noise, and counting in whole numbers."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from flawsmith.core.geometry import Window
from flawsmith.core.records import Image, Mask
from flawsmith.data.demo.settings import DemoSettings
from flawsmith.data.demo.surface import BORDER, Field, Scene, pixel_axes

_YELLOW = np.array([0.0, 0.03, 0.16], np.float32)
"""Share of red, green and blue light that a full stain swallows beyond its darkening."""


def photograph(scene: Scene, rng: np.random.Generator, settings: DemoSettings) -> tuple[Image, Mask]:
    """Return one shot of a scene (HWC at the depth of `settings`) and its defect mask (HW)."""
    top, left = (int(each) for each in rng.integers(0, 2 * BORDER + 1, 2))
    height, width = settings.size_hw
    window = Window(top, left, top + height, left + width)
    blurred = gaussian_filter(scene.radiance, rng.uniform(0.35, 0.6))
    light = window.cut(blurred) * _vignette(rng, settings.size_hw) * np.float32(np.exp(rng.normal(0, 0.08)))
    colours = light[..., None] * np.asarray(scene.colour, np.float32)
    colours = colours * (1 - window.cut(scene.yellow)[..., None] * _YELLOW)
    if settings.channels == 1:
        colours = colours @ np.array([[0.3], [0.59], [0.11]], np.float32)
    return _sensor(colours, rng, settings.depth), window.cut(scene.mask).copy()


def _vignette(rng: np.random.Generator, hw: tuple[int, int]) -> Field:
    y, x = pixel_axes(hw)
    radius2 = ((y / hw[0] - 0.5) ** 2 + (x / hw[1] - 0.5) ** 2) * 2
    return np.asarray(1 - rng.uniform(0.12, 0.22) * radius2, np.float32)


def _sensor(light_HWC: Field, rng: np.random.Generator, depth: int) -> Image:
    """Add shot noise (grows with the square root of light) and read noise, then quantise."""
    spread = np.sqrt(1.5e-4 * np.clip(light_HWC, 0, None) + 0.003**2)
    noisy = light_HWC + spread * rng.standard_normal(light_HWC.shape, np.float32)
    top = 2**depth - 1
    counts: Image = np.clip(np.rint(noisy * top), 0, top).astype(np.uint8 if depth == 8 else np.uint16)
    return counts
