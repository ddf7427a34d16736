"""Does a mask fit the picture better when it is moved? Tells masks that lie beside their defect.

Measured by the correlation of the mask, at every shift, with how much the picture deviates from its surroundings
(Lewis 1995, "Fast normalized cross-correlation"). The thresholds are set so that no mask of the sets magnetic_tile,
mvtec_bottle and neu_900 raises an alarm; the price is that much goes unseen. Of samples of their masks, moved by 10
pixels, about half were found on scratches, inclusions and cracks, a third on blowholes, and none on defects that are
broad or hardly stand out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from flawsmith.core.records import Mask

REACH_PX = 24
"""Shifts are tried up to so many pixels of the picture, reduced to LONGEST_PX where it is larger."""
LONGEST_PX = 640
FINE_PX, COARSE_PX = 1.0, 12.0
LEAST_PX = 6
LEAST_FIT, LEAST_GAIN, MOST_HERE = 0.2, 0.15, 0.5
"""The fit elsewhere, by how much it is better, and the largest part of it that is reached here."""
LEAST_AREA, MOST_SHARE = 9, 0.5


class Drift(NamedTuple):
    """How far a mask lies from where it fits best, in pixels of the image, and the correlation here and there."""

    down_px: int
    right_px: int
    fit_here: float
    fit_there: float


def drift(plane: NDArray[np.float32], mask: Mask) -> Drift | None:
    """Return how a mask (HW bool) is shifted against the picture (HW), or None where it fits or nothing can be said.

    >>> plane = np.random.default_rng(0).normal(0.5, 0.01, (120, 120)).astype(np.float32)
    >>> plane[40:80, 60:63] = 0
    >>> mask = np.zeros((120, 120), bool)
    >>> mask[46:86, 68:71] = True
    >>> drift(plane, mask)[:2]
    (-6, -8)
    """
    factor = -(-max(mask.shape) // LONGEST_PX)
    plane, mask = _reduced(plane, factor), _reduced(mask.astype(np.float32), factor) >= 0.5
    if mask.sum() < LEAST_AREA or mask.mean() > MOST_SHARE or min(mask.shape) < 2 * REACH_PX + 2:
        return None
    fits = _fits(_deviation(plane), mask)
    row, column = (int(place) for place in np.unravel_index(fits.argmax(), fits.shape))
    here, there = float(fits[REACH_PX, REACH_PX]), float(fits[row, column])
    down, right = row - REACH_PX, column - REACH_PX
    better = there >= LEAST_FIT and there - here >= LEAST_GAIN and here <= MOST_HERE * there
    # The best of the edge is no best: the fit may go on rising beyond it.
    if not better or np.hypot(down, right) < LEAST_PX or max(abs(down), abs(right)) == REACH_PX:
        return None
    return Drift(down * factor, right * factor, here, there)


def _reduced(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    height, width = (side // factor * factor for side in plane.shape)
    parts = plane[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.asarray(parts.mean((1, 3)))


def _deviation(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    fine, coarse = (ndimage.gaussian_filter(plane, sigma) for sigma in (FINE_PX, COARSE_PX))
    found = np.abs(fine - coarse)
    return np.asarray(np.minimum(found, np.percentile(found, 99.5)))


def _fits(deviation: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    """Return the correlation at each shift, (2 * 24 + 1) squared, the unmoved mask in the middle."""
    one, other = deviation - deviation.mean(), mask - np.float32(mask.mean())
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    middle = [slice(side - 1 - REACH_PX, side + REACH_PX) for side in mask.shape]
    all_shifts = signal.fftconvolve(one, other[::-1, ::-1])
    return np.asarray(all_shifts[middle[0], middle[1]] / max(float(norm), 1e-9), np.float32)
