"""Has training stopped improving? Too few steps turn a verdict around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Look = Mapping[str, float | None]
"""One look at the validation images: `step`, `image_ap`, `pixel_ap` and `macro_f1` (None where undefined)."""

WATCHED = ("image_ap", "pixel_ap", "macro_f1")


def has_plateaued(looks: Sequence[Look], patience: int, min_gain: float) -> bool | None:
    """Whether neither image AP nor pixel AP nor macro F1 gained `min_gain` in the last `patience` looks.

    None where that cannot be known: none is defined, or there were not more looks than `patience`.

    Each is watched apart: in their mean, one that falls by chance would hide another's rise.

    >>> rise = [{"step": n, "image_ap": 0.9 - 0.1 * n, "pixel_ap": 0.1 * n} for n in range(5)]
    >>> has_plateaued(rise, patience=2, min_gain=0.01)
    False
    """
    if len(looks) <= patience:
        return None
    curves = [[look.get(name) for look in looks] for name in WATCHED]
    known = [[value for value in curve if value is not None and np.isfinite(value)] for curve in curves]
    whole = [values for values in known if values and len(values) == len(looks)]
    return all(is_flat(values, patience, min_gain) for values in whole) if whole else None


def is_flat(values: Sequence[float], patience: int, min_gain: float) -> bool:
    """Whether the best of the last `patience` values gains less than `min_gain` on the best before them.

    >>> is_flat([0.1, 0.5, 0.6, 0.6, 0.6], patience=2, min_gain=0.01)
    True
    >>> is_flat([0.1, 0.5, 0.6, 0.6, 0.7], patience=2, min_gain=0.01)
    False
    """
    return len(values) > patience and max(values[-patience:]) < max(values[:-patience]) + min_gain
