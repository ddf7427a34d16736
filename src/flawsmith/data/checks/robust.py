"""How far a value lies from those of its class, whatever the class's few worst are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_IMAGES = 8
"""Of fewer images nobody can say what is usual."""
_NORMAL = 1.4826
"""Deviation of a normal distribution per median absolute deviation."""


def robust_z(values: Sequence[float], floor: float) -> NDArray[np.float64]:
    """Return each value's distance from the median in robust standard deviations, which count as at least `floor`.

    Fewer than 8 values give zeros.

    >>> robust_z([1, 2, 3, 4, 5, 6, 7, 104], 0.1).round(1)[-1]
    np.float64(33.6)
    """
    found = np.asarray(values, np.float64)
    if len(found) < LEAST_IMAGES:
        return np.zeros(len(found))
    away = found - np.median(found)
    return np.asarray(away / max(_NORMAL * float(np.median(np.abs(away))), floor))
