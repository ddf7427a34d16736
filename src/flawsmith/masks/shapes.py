"""Procedural mask shapes: each draws one connected mask of about the area and length asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.records import Mask
from flawsmith.core.registry import Registry
from flawsmith.masks.morphology import tight


class Shape(Protocol):
    """(random stream, area in px, length in px) -> tight connected mask HW, its area within a factor of 2."""

    def __call__(self, rng: np.random.Generator, area_px: float, length_px: float) -> Mask: ...  # noqa: D102


SHAPES: Registry[Shape] = Registry("mask shape")


@SHAPES.register("scratch")
def scratch(rng: np.random.Generator, area_px: float, length_px: float) -> Mask:
    """A thin, slightly curved stroke whose width swells and tapers."""
    angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.6)
    along = np.linspace(-0.5, 0.5, max(2, int(min(length_px, area_px)) * 2))
    heading = angle + bend * along
    path = np.stack([np.cumsum(np.sin(heading)), np.cumsum(np.cos(heading))], 1) / 2
    return _ribbon(path, 1 - (2 * np.abs(along)) ** 3, area_px)


@SHAPES.register("crack")
def crack(rng: np.random.Generator, area_px: float, length_px: float) -> Mask:
    """A wandering line with a few branches."""
    steps = max(4, int(min(length_px, area_px / 2)) * 2)
    main = _walk(rng, steps, rng.uniform(0, 2 * np.pi), np.zeros(2))
    paths, strengths = [main], [np.ones(steps)]
    for _ in range(int(rng.integers(0, 3))):
        start = int(rng.integers(steps // 4, max(steps // 4 + 1, 3 * steps // 4)))
        length = max(2, int(steps * rng.uniform(0.15, 0.4)))
        direction = np.arctan2(*(main[min(start + 2, steps - 1)] - main[start])) + rng.choice([-1, 1]) * rng.uniform(
            0.5, 1
        )
        paths.append(_walk(rng, length, direction, main[start]))
        strengths.append(np.full(length, 0.6))
    return _ribbon(np.concatenate(paths), np.concatenate(strengths), area_px)


@SHAPES.register("spot")
def spot(rng: np.random.Generator, area_px: float, length_px: float) -> Mask:
    """A nearly round pit."""
    return _star(rng, area_px, 1 + 0.25 * rng.random(), 0.05)


@SHAPES.register("blob")
def blob(rng: np.random.Generator, area_px: float, length_px: float) -> Mask:
    """A smooth irregular patch as long as asked for, where the area allows it."""
    stretch = float(np.clip(length_px**2 / max(area_px, 1) * 0.785, 1, 6))
    return _star(rng, area_px, stretch, 0.25)


@SHAPES.register("perlin")
def perlin(rng: np.random.Generator, area_px: float, length_px: float) -> Mask:
    """The largest island of band-limited noise above a level (after Perlin 1985; used as in DRAEM)."""
    for _ in range(12):
        island = _island(rng, area_px)
        if 0.6 * area_px <= island.sum() <= 1.6 * area_px:
            return island
    return blob(rng, area_px, length_px)


def _island(rng: np.random.Generator, area_px: float) -> Mask:
    """Raise the level around the highest point of smooth noise until its island has the area, as nearly as it can."""
    side = max(8, int(3 * np.sqrt(area_px)))
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side)), max(0.7, np.sqrt(area_px) / 5))
    noise -= 3 * noise.std() * (np.hypot(*np.indices((side, side)) - side / 2) / side) ** 2
    peak, low, high = int(noise.argmax()), float(noise.min()), float(noise.max())
    for _ in range(25):
        level = (low + high) / 2
        numbers, _count = ndimage.label(noise >= level)
        island = np.asarray(numbers == numbers.flat[peak])
        low, high = (level, high) if island.sum() > area_px else (low, level)
    return _cut(island)


def _walk(rng: np.random.Generator, steps: int, heading: float, start: NDArray[np.float64]) -> NDArray[np.float64]:
    turns = heading + np.cumsum(rng.normal(0, 0.12, steps)) + 0.35 * rng.normal(size=steps)
    return start + np.cumsum(np.stack([np.sin(turns), np.cos(turns)], 1) / 2, 0)


def _ribbon(path_yx: NDArray[np.float64], strength: NDArray[np.float64], area_px: float) -> Mask:
    """Draw a path as wide as its area asks for: pixels within a half width, scaled by the strength along it."""
    margin = int(area_px / max(len(path_yx) / 2, 1)) + 4
    origin = path_yx.min(0) - margin
    size = np.ceil(np.ptp(path_yx, 0)).astype(int) + 2 * margin + 1
    places = np.rint(path_yx - origin).astype(int)
    line = np.zeros(size, bool)
    line[places[:, 0], places[:, 1]] = True
    line = ndimage.binary_closing(np.pad(line, 1), np.ones((3, 3)))[1:-1, 1:-1] | line
    share = np.zeros(size)
    np.maximum.at(share, (places[:, 0], places[:, 1]), np.clip(strength, 0.15, 1))
    distance, nearest = ndimage.distance_transform_edt(~line, return_indices=True)
    relative = distance / np.maximum(share[tuple(nearest)], 0.15)
    low, high = 0.0, float(margin)
    for _ in range(20):
        half = (low + high) / 2
        low, high = (half, high) if (relative <= half).sum() < area_px else (low, half)
    return _cut((relative <= high) | line)


def _star(rng: np.random.Generator, area_px: float, stretch: float, wobble: float) -> Mask:
    """Draw a closed curve of smooth random radius, stretched along a random direction."""
    side = int(np.ceil(np.sqrt(max(area_px, 1) * stretch) * 2.5)) + 4
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    turn = rng.uniform(0, np.pi)
    along, across = columns * np.cos(turn) + rows * np.sin(turn), rows * np.cos(turn) - columns * np.sin(turn)
    angle, radius = np.arctan2(across * stretch, along), np.hypot(along, across * stretch)
    curve = np.ones_like(radius)
    for wave in range(2, 6):
        curve += wobble / (wave - 1) * rng.normal() * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    reach = radius / np.maximum(curve, 0.3)
    count = int(np.clip(round(area_px), 1, reach.size))
    return _cut(reach <= np.partition(reach.ravel(), count - 1)[count - 1])


def _cut(mask: Mask) -> Mask:
    """Return the largest connected part, cut to its box."""
    numbers, count = ndimage.label(mask, np.ones((3, 3)))
    if count > 1:
        mask = numbers == 1 + int(np.argmax(np.bincount(numbers.ravel())[1:]))
    return np.ascontiguousarray(tight(mask).cut(np.asarray(mask, bool)))
