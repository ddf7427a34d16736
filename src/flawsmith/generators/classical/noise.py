"""Perlin noise: the smooth random field under which DRAEM hides its anomalies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def perlin(rng: np.random.Generator, size_hw: tuple[int, int], cell_px: float) -> NDArray[np.float32]:
    """Return gradient noise (HW, within about [-1, 1], zero at the lattice's points) with cells of `cell_px`.

    Perlin, Improving noise, SIGGRAPH 2002: quintic fade between lattice gradients; the lattice is turned and shifted
    at random, so that no direction stands out.
    """
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1, 2)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] / cell_px
    turned = np.stack([y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)])
    turned += shift[:, None, None] - np.floor(turned.min((1, 2)))[:, None, None]
    return lattice_noise(rng, turned)


def lattice_noise(rng: np.random.Generator, places_yx: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return Perlin noise at the places (2, H, W), which are at least 0 and in units of lattice cells."""
    corner = np.floor(places_yx).astype(np.int64)
    within = places_yx - corner
    directions = rng.uniform(0, 2 * np.pi, corner.max((1, 2)) + 2)
    fade = within**3 * (within * (within * 6 - 15) + 10)
    total = np.zeros(places_yx.shape[1:])
    for dy in (0, 1):
        for dx in (0, 1):
            around = directions[corner[0] + dy, corner[1] + dx]
            slope = np.sin(around) * (within[0] - dy) + np.cos(around) * (within[1] - dx)
            weight = (fade[0] if dy else 1 - fade[0]) * (fade[1] if dx else 1 - fade[1])
            total += weight * slope
    return np.asarray(total * np.sqrt(2), np.float32)
