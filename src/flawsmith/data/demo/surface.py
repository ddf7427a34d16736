"""A machined surface under one light: grain, tool marks, dust and the light's own fall-off, before any camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates, uniform_filter1d

from flawsmith.core.records import Mask
from flawsmith.data.demo.settings import DemoSettings

BORDER = 6
"""A scene is this many pixels larger than a picture on every side, so that shots can be shifted."""

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A part under the light, HW float32: radiance (about 0.55), yellowness in [0, 1], and where it is defective.

    Angles are in radians in image axes (x right, y down). `light_angle` points from the part towards the light.
    `scale` is how much larger than on a 128 px picture defects are drawn, `line_width` how much wider thin lines are.
    """

    radiance: Field
    yellow: Field
    mask: Mask
    colour: tuple[float, float, float]
    light_angle: float
    grain_angle: float
    grain_contrast: float
    scale: float
    line_width: float

    def shaded(self, change: Field, mask: Mask) -> Scene:
        """Return the scene with its radiance changed by a share, and `mask` added to the defective area."""
        return replace(self, radiance=self.radiance * np.maximum(1 + change, 0.03), mask=self.mask | mask)


def draw_scene(rng: np.random.Generator, settings: DemoSettings) -> Scene:
    """Return a new part without a defect, with the marks that good parts have too."""
    hw = (settings.size_hw[0] + 2 * BORDER, settings.size_hw[1] + 2 * BORDER)
    scale = min(settings.size_hw) / 128
    light_angle = float(np.deg2rad(-125) + rng.normal(0, 0.2))
    turned = rng.random() < settings.turned_share
    u, v, grain_angle = _turned_axes(rng, hw) if turned else _straight_axes(rng, hw, settings.grain_spread_deg)
    crossing = abs(np.sin(grain_angle - light_angle))
    contrast = float(rng.uniform(0.035, 0.055) + 0.025 * crossing)
    relief = _grain(rng, u, v, turned)
    relief *= contrast / relief.std()
    relief += _marks(rng, u, v, contrast)
    radiance = 0.55 * rng.uniform(0.9, 1.1) * (1 + relief) * _lighting(rng, u, hw, light_angle)
    radiance *= 1 + _dust(rng, hw, contrast)
    warm = rng.normal(0, 0.008)
    nothing = np.zeros(hw, np.float32)
    return Scene(
        radiance=np.maximum(radiance, 0.02).astype(np.float32),
        yellow=nothing + np.float32(rng.uniform(0, 0.04)),
        mask=np.zeros(hw, bool),
        colour=(float(1 + warm), 1.0, float(1.02 - warm)),
        light_angle=light_angle,
        grain_angle=grain_angle,
        grain_contrast=contrast,
        scale=scale,
        line_width=settings.line_width,
    )


def pixel_axes(hw: tuple[int, int]) -> tuple[Field, Field]:
    """Return the y and x of every pixel, each broadcast to HW."""
    y, x = np.mgrid[: hw[0], : hw[1]].astype(np.float32)
    return y, x


def _straight_axes(rng: np.random.Generator, hw: tuple[int, int], spread_deg: float) -> tuple[Field, Field, float]:
    """Return coordinates along (u) and across (v) a straight grain, in pixels, and its angle."""
    angle = float(np.deg2rad(rng.uniform(-spread_deg, spread_deg)) % np.pi)
    y, x = pixel_axes(hw)
    y, x = y - hw[0] / 2, x - hw[1] / 2
    wave = 0.6 * np.sin((x * np.cos(angle) + y * np.sin(angle)) / hw[1] * rng.uniform(1, 3) + rng.uniform(0, 6))
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) + wave, angle


def _turned_axes(rng: np.random.Generator, hw: tuple[int, int]) -> tuple[Field, Field, float]:
    """Return coordinates along (u) and across (v) the arcs of a turned part, and their angle in mid-picture."""
    towards, distance = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.9, 2.5)) * max(hw)
    y, x = pixel_axes(hw)
    y, x = y - hw[0] / 2 - distance * np.sin(towards), x - hw[1] / 2 - distance * np.cos(towards)
    away = np.arctan2(np.sin(towards + np.pi), np.cos(towards + np.pi))
    turn = (np.arctan2(y, x) - away + np.pi) % (2 * np.pi) - np.pi
    return turn * distance, np.hypot(y, x) - distance, float((towards + np.pi / 2) % np.pi)


def _grain(rng: np.random.Generator, u: Field, v: Field, turned: bool) -> Field:
    """Return noise that is long along u and fine across v: streaks of three lengths, and a little roughness."""
    reach = int(np.ceil(max(np.abs(u).max(), np.abs(v).max()))) + 4
    side = 2 * reach
    texture = np.zeros((side, side), np.float32)
    for length, width, weight in ((18, 0.5, 0.9), (60, 0.7, 1.0), (150, 1.6, 0.7)):
        # A heavy-tailed seed gives the few strong lines among many weak ones that an abrasive belt leaves.
        seed = rng.standard_normal((side, side), np.float32)
        streaks = gaussian_filter1d(seed * np.abs(seed), width, axis=0)
        for _ in range(2):
            streaks = uniform_filter1d(streaks, min(length, side), axis=1, mode="wrap")
        texture += np.float32(weight) * streaks / streaks.std()
    texture += 0.35 * rng.standard_normal((side, side), np.float32)
    if turned:
        texture += _feed_marks(rng, side)
    return _sample(texture, u, v, reach)


def _feed_marks(rng: np.random.Generator, side: int) -> Field:
    """Return the periodic ridges that the feed of a turning tool leaves, (side, 1)."""
    pitch = rng.uniform(4, 9)
    phase = 2 * np.pi * (np.arange(side) + np.cumsum(rng.normal(0, 0.15, side))) / pitch
    ridge = np.sin(phase) + 0.35 * np.sin(2 * phase + 0.7)
    return np.asarray(rng.uniform(0.6, 1.3) * ridge[:, None], np.float32)


def _sample(texture: Field, u: Field, v: Field, reach: int) -> Field:
    sampled = map_coordinates(texture, [v + reach, u + reach], order=1, mode="wrap")
    return np.asarray(sampled, np.float32)


def _marks(rng: np.random.Generator, u: Field, v: Field, contrast: float) -> Field:
    """Return what good parts have too: tool marks across the picture and short streaks, along the grain."""
    total = np.zeros_like(u)
    low, high = float(v.min()), float(v.max())
    for _ in range(rng.poisson(1.2)):
        line = np.exp(-(((v - rng.uniform(low, high)) / rng.uniform(0.5, 1.3)) ** 2))
        total += rng.choice([-1, 1]) * rng.uniform(1.2, 3.5) * contrast * line
    for _ in range(rng.poisson(2.5)):
        along = (u - rng.uniform(float(u.min()), float(u.max()))) / rng.uniform(8, 28)
        line = np.exp(-(((v - rng.uniform(low, high)) / rng.uniform(0.45, 0.9)) ** 2) - along**4)
        total += rng.choice([-1, 1]) * rng.uniform(1.5, 4.0) * contrast * line
    return total


def _lighting(rng: np.random.Generator, u: Field, hw: tuple[int, int], light_angle: float) -> Field:
    """Return the light's fall-off, and the sheen that brushed metal shows as a band across its grain."""
    y, x = pixel_axes(hw)
    towards = (x / hw[1] - 0.5) * np.cos(light_angle) + (y / hw[0] - 0.5) * np.sin(light_angle)
    width = rng.uniform(0.35, 0.8) * max(hw)
    sheen = np.exp(-(((u - rng.uniform(-0.4, 0.4) * hw[1]) / width) ** 2))
    return np.asarray(1 + rng.uniform(0.08, 0.3) * towards + rng.uniform(0.05, 0.28) * (sheen - 0.5), np.float32)


def _dust(rng: np.random.Generator, hw: tuple[int, int], contrast: float) -> Field:
    """Return specks and lint that lie on the part: soft, round or short, mostly dark, without a pit's lit rim."""
    y, x = pixel_axes(hw)
    total = np.zeros(hw, np.float32)
    for _ in range(rng.poisson(2.0)):
        angle, radius = rng.uniform(0, np.pi), rng.uniform(0.6, 1.5)
        longer = rng.choice([1.0, 1.4, 4.0], p=[0.5, 0.35, 0.15])
        dy, dx = y - rng.uniform(0, hw[0]), x - rng.uniform(0, hw[1])
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        speck = np.exp(-((along / (radius * longer)) ** 2) - (across / radius) ** 2)
        total += rng.choice([-1, -1, 0.7]) * rng.uniform(1.5, 5.0) * contrast * speck
    return total
