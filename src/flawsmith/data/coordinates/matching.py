"""Two cells of one lattice laid over one another: the cyclic shift between them, by correlation through the FFT."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from flawsmith.data.coordinates.lattice import Cell
from flawsmith.data.coordinates.period import vertex

AS_GOOD = 0.98
"""Shifts that reach this share of the best match are as good: a pattern may hold the same figure twice."""


class Match(NamedTuple):
    """How far the template lies ahead (x, y in samples, at least 0, less than a cell), and how alike they are there."""

    shift_xy: tuple[float, float]
    likeness: float


def match(cell: Cell, template: Cell) -> Match:
    """Return the place in the template where the cell begins, to about a quarter of a sample.

    Of equally good places the topmost, then leftmost counts.

    >>> template = np.zeros((8, 8, 1), np.float32)
    >>> template[2, 5] = 1
    >>> match(np.roll(template, (-2, -5), (0, 1)), template)
    Match(shift_xy=(5.0, 2.0), likeness=1.0)
    """
    likeness = _correlation(cell, template)
    rows, columns = likeness.shape
    summits = likeness == ndimage.maximum_filter(likeness, (max(3, rows // 3), max(3, columns // 3)), mode="wrap")
    row, column = np.argwhere(summits & (likeness >= AS_GOOD * likeness.max()))[0]
    right = vertex(*(likeness[row, (column + step) % columns] for step in (-1, 0, 1)))
    down = vertex(*(likeness[(row + step) % rows, column] for step in (-1, 0, 1)))
    best = min(1.0, max(0.0, round(float(likeness[row, column]), 6)))
    return Match((float((column + right) % columns), float((row + down) % rows)), best)


def shifted(cell: Cell, shift_xy: tuple[float, float]) -> Cell:
    """Return a cell moved right and down by parts of a sample, cyclically: `match` with the template becomes 0."""
    return np.asarray(ndimage.shift(cell, (shift_xy[1], shift_xy[0], 0), order=3, mode="grid-wrap"), np.float32)


def _correlation(cell: Cell, template: Cell) -> NDArray[Any]:
    """Return the likeness for every cyclic shift (rows, columns), all channels together; 0 for flat cells.

    Not Pearson's correlation but Lin's (1989, "A concordance correlation coefficient to evaluate reproducibility"): it
    is lower for other contrast too, because what is left of a texture after folding is faint, and like anything.
    """
    here, there = cell - cell.mean((0, 1)), template - template.mean((0, 1))
    spectra = np.conj(fft.rfft2(here, axes=(0, 1))) * fft.rfft2(there, axes=(0, 1))
    shared = fft.irfft2(spectra.sum(2), here.shape[:2])
    return np.asarray(shared / max(float((here**2).sum() + (there**2).sum()) / 2, 1e-9))
