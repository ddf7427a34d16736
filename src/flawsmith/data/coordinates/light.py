"""An image's pattern without its light: contrast relative to a smooth surface of brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.records import Image

DARKEST = 0.02
"""Light below this share of the full range counts as so much: in the dark there is nothing but noise."""
_SAMPLES, _TERMS = 64, 6

Values = NDArray[np.float32]


def contrast(image: Image, period_xy: tuple[float, float] = (1.0, 1.0)) -> Values:
    """Return the contrast of an HWC image, float: 0 is as bright as the light around, -1 black.

    The light is a quadratic surface per channel, fitted to means over one period, in which the pattern cancels; an
    image of less than two periods has light of one brightness. Any gain or smooth gradient of light drops out.
    """
    values = (image / np.float32(np.iinfo(image.dtype).max)).astype(np.float32)
    light = [_light(values[..., channel], period_xy) for channel in range(values.shape[2])]
    return np.asarray(values / np.maximum(np.stack(light, axis=-1), DARKEST) - 1, np.float32)


def _light(plane: Values, period_xy: tuple[float, float]) -> Values:
    box = [max(1, min(round(period), size)) for period, size in zip(period_xy[::-1], plane.shape, strict=True)]
    rows, columns = np.meshgrid(*map(_centres, box, plane.shape), indexing="ij")
    means = ndimage.uniform_filter(plane, box)[rows, columns].ravel()
    terms = _TERMS if all(2 * side <= size for side, size in zip(box, plane.shape, strict=True)) else 1
    shift = [(1 - side % 2) / 2 for side in box]  # the mean of an even box belongs half a pixel before its centre
    places = surface_terms(rows.ravel() - shift[0], columns.ravel() - shift[1], plane.shape)[:terms]
    weights = np.linalg.lstsq(places.T, means, rcond=None)[0]
    down, right = np.indices(plane.shape).reshape(2, -1)
    whole = surface_terms(down, right, plane.shape)[:terms]
    return np.asarray((weights @ whole).reshape(plane.shape), np.float32)


def _centres(side: int, size: int) -> NDArray[np.intp]:
    """Return some places along one axis where a box of `side` pixels lies wholly inside."""
    first, last = side // 2, size - side + side // 2
    return np.unique(np.linspace(first, last, _SAMPLES).round().astype(np.intp))


def surface_terms(rows: NDArray[Any], columns: NDArray[Any], size_hw: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the terms of a quadratic surface (terms, places) at pixels of an image; the first is 1."""
    y, x = 2 * rows / size_hw[0] - 1, 2 * columns / size_hw[1] - 1
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
