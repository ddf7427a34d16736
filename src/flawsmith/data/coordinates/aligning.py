"""A template laid on a whole image as well as possible: gain, light, place and, where wished, the lattice itself.

Gauss-Newton on the difference between image and template, as in Baker and Matthews 2004, "Lucas-Kanade 20 years on",
section 2, with Tukey's biweight so that defects have no say.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.data.coordinates.lattice import Cell
from flawsmith.data.coordinates.light import Values, surface_terms

MOST_PIXELS = 2**15
"""Pixels of an image that are compared, spread over it without a rhythm of their own."""
_STEPS, _STILL = 5, 1e-4
_TUKEY, _DEVIATION = 4.685, 1.4826
_GOLDEN = (5**0.5 - 1) / 2


class Alignment(NamedTuple):
    """How pixels (x, y) turn into periods (u, v) of the template: `matrix @ (x, y) + offset`."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]


class _Spline:
    """A cell and its slopes (per period) at any place in periods."""

    def __init__(self, cell: Cell) -> None:
        right = (np.roll(cell, -1, 1) - np.roll(cell, 1, 1)) * (cell.shape[1] / 2)
        down = (np.roll(cell, -1, 0) - np.roll(cell, 1, 0)) * (cell.shape[0] / 2)
        self.size_hw = cell.shape[:2]
        self.heights = [ndimage.spline_filter(plane, mode="grid-wrap") for plane in np.moveaxis(cell, -1, 0)]
        self.slopes = [np.moveaxis(each, -1, 0) for each in (right, down)]

    def at(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return height, slope along u and slope along v: (3, channels, places)."""
        where = uv[::-1] * np.array(self.size_hw)[:, None]
        heights = [ndimage.map_coordinates(c, where, mode="grid-wrap", prefilter=False) for c in self.heights]
        slopes = [[ndimage.map_coordinates(c, where, order=1, mode="grid-wrap") for c in each] for each in self.slopes]
        return np.array([heights, *slopes], float)


def align(values: Values, template: Cell, start: Alignment, *, free: bool) -> Alignment:
    """Return the alignment of a template with an HWC image of contrast, beginning within a pixel or two of it.

    Only the offset is fitted, or the matrix too where it is `free`.
    """
    spline = _Spline(template)
    rows, columns = np.divmod(_pixels(values.shape[0] * values.shape[1]), values.shape[1])
    seen = values[rows, columns].T.astype(float)
    xy = np.stack([columns, rows]).astype(float)
    size_xy = np.array(values.shape[1::-1], float)
    motion = np.vstack([np.ones(len(rows)), 2 * xy / size_xy[:, None] - 1])[: 3 if free else 1]
    light = surface_terms(rows, columns, values.shape[:2])
    found, gain = start, 1.0
    for _ in range(_STEPS):
        height, *slopes = spline.at(found.matrix @ xy + found.offset[:, None])
        moving = [gain * slope * term for slope in slopes for term in motion]
        change = _solved(seen - gain * height, [*moving, height], light)
        found, gain = _moved(found, change[:-1].reshape(2, -1), size_xy), gain + float(change[-1])
        if np.abs(change[:-1]).max() < _STILL:
            break
    return found


def _pixels(count: int) -> NDArray[np.int64]:
    if count <= MOST_PIXELS:
        return np.arange(count)
    return (np.arange(1, MOST_PIXELS + 1) * _GOLDEN % 1 * count).astype(np.int64)


def _solved(
    residual: NDArray[np.float64], shared: list[NDArray[Any]], light: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the robust least-squares factors of the shared columns; each channel's light is fitted beside them."""
    columns, weights = np.stack(shared), np.ones_like(residual)
    for _ in range(2):
        normal, right = 0.0, 0.0
        surfaces = []
        for channel, weight in enumerate(weights):
            # Light has factors of its own in each channel, so it is taken out of all columns beforehand.
            plain = (light * weight) @ light.T
            both = np.vstack([columns[:, channel], residual[channel]])
            surface = np.linalg.lstsq(plain, (light * weight) @ both.T, rcond=None)[0]
            bare = both - surface.T @ light
            surfaces.append(bare)
            normal, right = normal + (bare[:-1] * weight) @ bare[:-1].T, right + (bare[:-1] * weight) @ bare[-1]
        factors = np.linalg.lstsq(normal, right, rcond=None)[0]
        weights = _biweight(np.stack([bare[-1] - factors @ bare[:-1] for bare in surfaces]))
    return np.asarray(factors)


def _biweight(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = _TUKEY * max(_DEVIATION * float(np.median(np.abs(residual))), 1e-6)
    return np.clip(1 - (residual / scale) ** 2, 0, None) ** 2


def _moved(alignment: Alignment, change: NDArray[np.float64], size_xy: NDArray[np.float64]) -> Alignment:
    """Apply a change whose terms are 1, x and y, the latter two from -1 to 1 over the image."""
    if change.shape[1] == 1:
        return alignment._replace(offset=alignment.offset + change[:, 0])
    matrix = change[:, 1:] * 2 / size_xy
    return Alignment(alignment.matrix + matrix, alignment.offset + change[:, 0] - change[:, 1:].sum(1))
