"""The lattice of a repetitive pattern, and the folding of an image into one cell of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.errors import DataError

MOST_REPEATS = 256
"""Repeats of the pattern that are looked at in one image, spread over it."""

Vector = tuple[float, float]
Cell = NDArray[np.float32]
"""One period of a pattern, HWC: about one sample per pixel along the lattice's two vectors."""


@dataclass(frozen=True)
class Lattice:
    """How a pattern repeats: moved by either vector (x, y in pixels) it looks the same.

    `along_x` runs nearly along the rows and `along_y` nearly down the columns; they need be neither upright nor of one
    length, so tilted cameras and skewed patterns are fine.
    """

    along_x: Vector
    along_y: Vector

    def __post_init__(self) -> None:
        if not np.isfinite(self.matrix).all() or np.linalg.det(self.matrix) <= 0:
            raise DataError(f"expected one vector along x and one along y, got {self.along_x} and {self.along_y}")

    @property
    def period_xy(self) -> Vector:
        """Length of the period along x and along y, in pixels."""
        return hypot(*self.along_x), hypot(*self.along_y)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a cell."""
        x, y = self.period_xy
        return max(1, round(y)), max(1, round(x))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The two vectors as columns: turns periods into pixels."""
        return np.array([self.along_x, self.along_y], float).T


def fold(values: NDArray[Any], lattice: Lattice) -> Cell:
    """Return one period as an HWC image shows it: the median over its repeats, beginning at the top left pixel.

    What is not repeated, a defect or noise, falls out. Raises DataError where the image does not show a whole period.
    """
    xy = np.moveaxis(_repeats(lattice, values.shape[:2]), -1, 0)
    sampled = [_sampled(values[..., channel], xy) for channel in range(values.shape[2])]
    cell = np.stack([_median(each) for each in sampled], axis=-1)
    if np.isnan(cell).any():
        raise DataError(
            f"an image of {values.shape[1]} x {values.shape[0]} pixels does not show a whole period of "
            f"{lattice.period_xy[0]:.1f} x {lattice.period_xy[1]:.1f} pixels: give larger images"
        )
    return cell


def _repeats(lattice: Lattice, size_hw: tuple[int, ...]) -> NDArray[np.float64]:
    """Return where the samples of each repeat lie in the image: (repeats, rows, columns, xy)."""
    rows, columns = lattice.shape
    corners = np.array(list(product((0, size_hw[1] - 1), (0, size_hw[0] - 1))), float)
    reach = np.linalg.solve(lattice.matrix, corners.T)
    first, last = np.floor(reach.min(1)).astype(int), np.floor(reach.max(1)).astype(int)
    cells = np.array(list(product(range(first[1], last[1] + 1), range(first[0], last[0] + 1))))[:, ::-1]
    cells = cells[_spread(cells @ lattice.matrix.T, lattice, size_hw)]
    down, right = np.mgrid[:rows, :columns]
    within = np.stack([right / columns, down / rows], axis=-1)
    return np.asarray((cells[:, None, None] + within) @ lattice.matrix.T)


def _spread(origins: NDArray[np.float64], lattice: Lattice, size_hw: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the numbers of the repeats to look at: all, or as many as are enough, of those that lie inside."""
    ends = origins + lattice.matrix.sum(1)
    inside = ((origins >= 0) & (ends < size_hw[::-1])).all(1)
    numbers = np.flatnonzero(inside) if inside.sum() >= MOST_REPEATS else np.arange(len(origins))
    chosen = np.linspace(0, len(numbers) - 1, min(MOST_REPEATS, len(numbers))).astype(int)
    return np.asarray(numbers[chosen])


def _sampled(plane: NDArray[Any], xy: NDArray[np.float64]) -> Cell:
    return np.asarray(ndimage.map_coordinates(plane, xy[::-1], np.float32, order=3, cval=np.nan))


def _median(repeats: Cell) -> Cell:
    """Return the median over the first axis, leaving out what is not a number (numpy's own is slow for many pixels)."""
    ordered = np.sort(repeats, axis=0)
    count = np.isfinite(ordered).sum(0, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, 0)
    return np.asarray((low + np.take_along_axis(ordered, count // 2, 0))[0] / 2)
