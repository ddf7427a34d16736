"""Has training stopped improving? Too few steps turn a verdict around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Look = Mapping[str, float | None]
"""One look at the validation images: `step`, `image_ap` and `pixel_ap` (None where undefined)."""


def value_of(look: Look) -> float:
    """Return the mean of the image and pixel AP that are defined; NaN if none is."""
    known = [value for value in (look["image_ap"], look["pixel_ap"]) if value is not None]
    return float(np.mean(known)) if known else float("nan")


def has_plateaued(values: Sequence[float], patience: int, min_gain: float) -> bool:
    """Whether the best of the last `patience` values gains less than `min_gain` on the best before them.

    >>> has_plateaued([0.1, 0.5, 0.6, 0.6, 0.6], patience=2, min_gain=0.01)
    True
    >>> has_plateaued([0.1, 0.5, 0.6, 0.6, 0.7], patience=2, min_gain=0.01)
    False
    """
    if len(values) <= patience or not np.isfinite(values).all():
        return False
    return max(values[-patience:]) < max(values[:-patience]) + min_gain
