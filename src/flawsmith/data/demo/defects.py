"""The four defects of the demo world: each shades a scene and says exactly where.

A defect's `contrast` is its strongest relative change of radiance. Its mask is where the change is at least a fixed
share of that, so the mask follows the pixels and not the drawing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from flawsmith.core.records import Mask
from flawsmith.core.registry import Registry
from flawsmith.data.demo.settings import DemoSettings
from flawsmith.data.demo.strokes import Stroke, trace, wander
from flawsmith.data.demo.surface import BORDER, Field, Scene, pixel_axes

Draw = Callable[[Scene, np.random.Generator, float], Scene]
"""draw(scene, rng, strength in [0, 1] or negative for faint ones) -> scene with the defect."""

Path_xy = NDArray[np.float64]
"""Points (N, 2) in pixels."""

DEFECTS: Registry[Draw] = Registry("demo defect")

VISIBLE = 0.3
"""Share of the strongest change from which a pixel counts as defective."""


def add_defect(scene: Scene, label: str, rng: np.random.Generator, settings: DemoSettings) -> Scene:
    """Return the scene with one defect of a class (sometimes two). Raises RegistryError for an unknown class."""
    draw, result = DEFECTS[label], scene
    always_seen = (slice(2 * BORDER, -2 * BORDER),) * 2
    while not (result.mask & ~scene.mask)[always_seen].any():
        result = scene
        for _ in range(1 + int(rng.random() < 0.15)):
            faint = rng.random() < settings.faint_share
            result = draw(result, rng, -float(rng.random()) if faint else float(rng.random()))
    return result


def _contrast(scene: Scene, strength: float, faint: tuple[float, float], plain: tuple[float, float]) -> float:
    """Return a contrast: faint ones are measured in standard deviations of the grain, plain ones in radiance."""
    if strength < 0:
        return scene.grain_contrast * (faint[0] - strength * (faint[1] - faint[0]))
    return plain[0] + strength * (plain[1] - plain[0])


def _spot(scene: Scene, rng: np.random.Generator, clear: float) -> tuple[float, float]:
    """Return a random x, y at least `clear` pixels inside every shot."""
    height, width = scene.radiance.shape
    edge = 2 * BORDER + clear
    x = rng.uniform(min(edge, width / 2 - 1), max(width - edge, width / 2 + 1))
    return float(x), float(rng.uniform(min(edge, height / 2 - 1), max(height - edge, height / 2 + 1)))


def _changed(change: Field) -> Mask:
    """Return where a change is visible."""
    return np.asarray(np.abs(change) >= VISIBLE * np.abs(change).max())


@DEFECTS.register("blowhole")
def blowhole(scene: Scene, rng: np.random.Generator, strength: float) -> Scene:
    """One to three pits: dark inside, the far wall catching the light, its rim bright on the side away from it."""
    contrast = _contrast(scene, strength, (1.8, 3.2), (0.35, 0.8))
    x, y = _spot(scene, rng, 8 * scene.scale)
    for number in range(1 + int(rng.choice(3, p=[0.7, 0.2, 0.1]))):
        radius = rng.uniform(1.8, 5.0) * scene.scale * (1.0 if number == 0 else 0.6)
        change = _pit(scene, rng, (x, y), max(radius, 1.3)) * contrast
        scene = scene.shaded(change, _changed(change))
        x, y = x + rng.normal(0, 7 * scene.scale), y + rng.normal(0, 7 * scene.scale)
        height, width = scene.radiance.shape
        x, y = float(np.clip(x, 2 * BORDER, width - 2 * BORDER)), float(np.clip(y, 2 * BORDER, height - 2 * BORDER))
    return scene


def _pit(scene: Scene, rng: np.random.Generator, spot_xy: tuple[float, float], radius: float) -> Field:
    y, x = pixel_axes(scene.radiance.shape)
    dx, dy = x - spot_xy[0], y - spot_xy[1]
    tilt, longer = rng.uniform(0, np.pi), np.sqrt(rng.uniform(1, 2.0))
    along, across = dx * np.cos(tilt) + dy * np.sin(tilt), dy * np.cos(tilt) - dx * np.sin(tilt)
    around = np.arctan2(across, along)
    outline = 1 + sum(rng.normal(0, 0.16 / n) * np.cos(n * around + rng.uniform(0, 6)) for n in (2, 3, 4, 5))
    edge = (np.hypot(along / longer, across * longer) / np.maximum(outline, 0.4) - radius).astype(np.float32)
    inside = 1 / (1 + np.exp(np.clip(edge / 0.45, -30, 30)))
    away = -(dx * np.cos(scene.light_angle) + dy * np.sin(scene.light_angle)) / np.maximum(np.hypot(dx, dy), 0.5)
    depth = np.clip(-edge / radius, 0, 1)
    wall = np.clip(away, 0, 1) * (1 - depth)
    rim = np.exp(-(((edge - 0.9) / 0.75) ** 2)) * np.clip(away, 0, 1) ** 1.5
    return np.asarray(-inside * (1 - 0.45 * wall) + 0.6 * rim, np.float32)


@DEFECTS.register("crack")
def crack(scene: Scene, rng: np.random.Generator, strength: float) -> Scene:
    """A thin dark jagged line that tapers and branches, with a faint bright edge on the side away from the light."""
    contrast = _contrast(scene, strength, (1.8, 3.0), (0.3, 0.65))
    length = rng.uniform(22, 62) * scene.scale
    angle = rng.uniform(0, 2 * np.pi)
    center = np.array(_spot(scene, rng, length / 3))
    start = center - length / 2 * np.array([np.cos(angle), np.sin(angle)])
    path = wander(rng, (float(start[0]), float(start[1])), angle, length, 0.38)
    width = rng.uniform(0.65, 1.15) * scene.line_width
    change = _cleft(scene, path, width)
    for _ in range(int(rng.choice(4, p=[0.35, 0.35, 0.2, 0.1]))):
        at = int(rng.integers(len(path) // 4, len(path) - 1))
        turn = angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)
        branch = wander(rng, tuple(path[at]), turn, length * rng.uniform(0.15, 0.4), 0.4)
        change = _stronger(change, _cleft(scene, branch, width * 0.75))
    return scene.shaded(change * np.float32(contrast), _changed(change))


def _cleft(scene: Scene, path: Path_xy, width: float) -> Field:
    hw = scene.radiance.shape
    beside = 1.4 * scene.line_width * np.array([np.cos(scene.light_angle), np.sin(scene.light_angle)])
    dark, lit = trace(path, hw), trace(path - beside, hw)
    taper = np.asarray(np.sqrt(np.clip(1 - dark.along**2, 0.05, 1)), np.float32)
    line = _profile(dark, np.float32(width) * taper)
    edge = 0.3 * _profile(lit, np.full_like(line, width * 0.8)) * (1 - line)
    return edge - line


def _profile(stroke: Stroke, width: Field) -> Field:
    return np.asarray(np.exp(-((stroke.distance / np.maximum(width, 0.35)) ** 2)), np.float32)


def _stronger(one: Field, other: Field) -> Field:
    return np.where(np.abs(one) > np.abs(other), one, other)


@DEFECTS.register("scratch")
def scratch(scene: Scene, rng: np.random.Generator, strength: float) -> Scene:
    """One to three nearly straight grooves that glint, most where the light falls across them."""
    contrast = _contrast(scene, strength, (2.0, 3.2), (0.3, 0.8))
    length = rng.uniform(28, 85) * scene.scale
    # A scratch that runs along the grain is a tool mark to any eye: keep it at least 15 degrees off.
    angle = scene.grain_angle + rng.uniform(0.26, np.pi - 0.26)
    center, bend = np.array(_spot(scene, rng, length / 4)), rng.normal(0, 0.06) * length
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    change = np.zeros_like(scene.radiance)
    for number in range(1 + int(rng.choice(3, p=[0.75, 0.17, 0.08]))):
        middle = center + across * number * rng.uniform(2.5, 6) * scene.scale + along * rng.normal(0, 4) * number
        share = np.linspace(-1, 1, 13)[:, None]
        path = middle + along * share * length / 2 + across * bend * (1 - share**2)
        change = _stronger(change, _groove(scene, rng, path) * np.float32(1 - 0.3 * number))
    return scene.shaded(change * np.float32(contrast), _changed(change))


def _groove(scene: Scene, rng: np.random.Generator, path: Path_xy) -> Field:
    stroke = trace(path, scene.radiance.shape)
    crossing = np.sin(stroke.angle - scene.light_angle) ** 2
    glint = 0.5 + 0.5 * crossing
    ends = np.clip(np.minimum(stroke.along, 1 - stroke.along) * rng.uniform(4, 12), 0, 1)
    pressure = 0.8 + 0.2 * np.sin(stroke.along * rng.uniform(4, 25) + rng.uniform(0, 6))
    line = _profile(stroke, np.full_like(stroke.distance, rng.uniform(0.6, 1.05) * scene.line_width))
    beside = 1.3 * scene.line_width * np.array([np.cos(scene.light_angle), np.sin(scene.light_angle)])
    shade = trace(path + beside, scene.radiance.shape)
    shadow = -0.22 * _profile(shade, np.full_like(line, 0.8 * scene.line_width)) * (1 - line)
    return np.asarray((glint * line + shadow) * ends * pressure, np.float32)


@DEFECTS.register("stain")
def stain(scene: Scene, rng: np.random.Generator, strength: float) -> Scene:
    """A soft blotch of dried fluid: a little darker and yellower, its edge a trace darker than its inside."""
    contrast = _contrast(scene, strength, (0.9, 1.6), (0.08, 0.22))
    radius = rng.uniform(5, 14) * scene.scale
    x0, y0 = _spot(scene, rng, radius / 2)
    y, x = pixel_axes(scene.radiance.shape)
    tilt, longer = rng.uniform(0, np.pi), np.sqrt(rng.uniform(1, 2))
    dx, dy = x - x0, y - y0
    along, across = dx * np.cos(tilt) + dy * np.sin(tilt), dy * np.cos(tilt) - dx * np.sin(tilt)
    lumps = gaussian_filter(rng.standard_normal(x.shape).astype(np.float32), max(radius / 3, 1.5))
    edge = np.hypot(along / longer, across * longer) / radius - 1 + 0.22 * lumps / lumps.std()
    cover = 1 / (1 + np.exp(np.clip(edge / rng.uniform(0.08, 0.2), -30, 30)))
    near = np.exp(-np.clip(np.hypot(dx, dy) / radius - 1.6, 0, None) * 4)
    cover = np.asarray(cover * near, np.float32)
    ring = rng.uniform(0, 0.8) * 4 * cover * (1 - cover)
    change = -np.asarray(cover * (0.8 + 0.2 * lumps / np.abs(lumps).max()) + 0.3 * ring, np.float32)
    change /= np.abs(change).max()
    mask = np.asarray(cover >= 0.4)
    yellow = np.maximum(scene.yellow, cover * np.float32(min(1.0, 3 * contrast)))
    return replace(scene.shaded(change * np.float32(contrast), mask), yellow=yellow)
