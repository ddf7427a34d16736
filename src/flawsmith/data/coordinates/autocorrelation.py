"""How much an image resembles itself after every shift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from flawsmith.data.coordinates.light import Values

Likeness = NDArray[np.float32]
"""Correlation of an image with itself by shift: [rows + y, columns + x] for shifts (x, y) up to (columns, rows)."""


def autocorrelation(values: Values) -> Likeness:
    """Return Pearson's correlation of an HWC image with itself shifted, over what overlaps, all channels together.

    Shifts go to half of each side both ways; without shift it is 1. Where nothing varies it is 0.
    """
    size_hw = values.shape[:2]
    reach = size_hw[0] // 2, size_hw[1] // 2
    padded = [fft.next_fast_len(size + far, real=True) for size, far in zip(size_hw, reach, strict=True)]
    waves = fft.rfft2(values, padded, axes=(0, 1))
    window = np.conj(fft.rfft2(np.ones(size_hw, np.float32), padded))

    def by_shift(spectrum: NDArray[np.complex64]) -> NDArray[np.float64]:
        shifts = fft.irfft2(spectrum, padded, axes=(0, 1))
        return _centred(shifts, reach).astype(np.float64)

    tails = by_shift(waves * window[..., None])
    heads = tails[::-1, ::-1]
    energy = by_shift(fft.rfft2((values**2).sum(2), padded) * window)
    overlap = np.multiply.outer(
        *(size - np.abs(np.arange(-far, far + 1)) for size, far in zip(size_hw, reach, strict=True))
    )
    shared = by_shift((np.abs(waves) ** 2).sum(2)) - (heads * tails).sum(2) / overlap
    spread = energy - (tails**2).sum(2) / overlap
    scale = np.sqrt(np.maximum(spread * spread[::-1, ::-1], 0))
    floor = 1e-6 * max(float(scale.max()), 1e-6)
    return np.where(scale > floor, shared / np.maximum(scale, floor), 0).astype(np.float32)


def _centred(shifts: NDArray[np.float32], reach: tuple[int, int]) -> NDArray[np.float32]:
    """Return the shifts from -reach to reach, in order."""
    rows, columns = (np.arange(-far, far + 1) for far in reach)
    return shifts[np.ix_(rows % shifts.shape[0], columns % shifts.shape[1])]
