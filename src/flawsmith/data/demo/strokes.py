"""Thin strokes: distance to a path of points, and which side of it a pixel lies on."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REACH = 6.0
"""Pixels further from the stroke than this keep the distance REACH."""


class Stroke(NamedTuple):
    """Per pixel, HW float32: distance to the path in px, place along it in [0, 1], and the nearest piece's angle."""

    distance: NDArray[np.float32]
    along: NDArray[np.float32]
    angle: NDArray[np.float32]


def trace(points_xy: NDArray[np.float64], hw: tuple[int, int]) -> Stroke:
    """Return distances to the path through `points_xy` (N, 2), exact within REACH pixels of it.

    >>> stroke = trace(np.array([[2.0, 3.0], [8.0, 3.0]]), (8, 12))
    >>> float(stroke.distance[5, 4]), float(stroke.distance[3, 10])
    (2.0, 2.0)
    """
    distance = np.full(hw, REACH, np.float32)
    along, angle = np.zeros(hw, np.float32), np.zeros(hw, np.float32)
    steps = np.hypot(*np.diff(points_xy, axis=0).T)
    placed = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-9)
    for number, (start, end) in enumerate(pairwise(points_xy)):
        rows, columns = _around(start[1], end[1], hw[0]), _around(start[0], end[0], hw[1])
        y, x = np.mgrid[rows, columns]
        delta = end - start
        share = ((x - start[0]) * delta[0] + (y - start[1]) * delta[1]) / max(float(delta @ delta), 1e-9)
        share = np.clip(share, 0, 1)
        reach = np.hypot(x - start[0] - share * delta[0], y - start[1] - share * delta[1])
        nearer = reach < distance[rows, columns]
        distance[rows, columns][nearer] = reach[nearer]
        here = placed[number] + share * (placed[number + 1] - placed[number])
        along[rows, columns][nearer] = here[nearer]
        angle[rows, columns][nearer] = np.arctan2(delta[1], delta[0])
    return Stroke(distance, along, angle)


def _around(start: float, end: float, size: int) -> slice:
    low, high = min(start, end) - REACH, max(start, end) + REACH
    return slice(min(max(int(low), 0), size), max(min(int(high) + 2, size), 0))


def wander(
    rng: np.random.Generator, start_xy: tuple[float, float], angle: float, length: float, roughness: float
) -> NDArray[np.float64]:
    """Return a path of points (N, 2) about 3 px apart that keeps its direction but for jitter (radians per step)."""
    count = max(3, round(length / 3))
    drift = np.cumsum(rng.normal(0, roughness * 0.35, count))
    angles = angle + drift - drift.mean() + rng.normal(0, roughness, count)
    steps = np.stack([np.cos(angles), np.sin(angles)], 1) * (length / count)
    return np.concatenate([[start_xy], start_xy + np.cumsum(steps, 0)])
