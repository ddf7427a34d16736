"""Groups whose defects are of another order of size than all others of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

LEAST_GROUPS = 5
"""Of fewer groups nobody can say what size is usual."""
TIMES_THE_USUAL, TIMES_THE_NEXT = 20.0, 4.0
"""A group stands alone with more than so many times the median area of the others, and the area of the next largest."""


def standing_alone(areas: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the group that stands alone and how many times the usual area it has; nothing where none does.

    `areas` are those (px, or shares of the picture) of one class's defects, image by image, for each group. A group
    counts with the median of its images, and the usual area is the median of the other groups.

    >>> standing_alone({"a": [30], "b": [40, 44], "c": [50], "d": [60], "e": [9000, 9200]})
    {'e': 197.8}
    """
    typical = {group: float(np.median(found)) for group, found in areas.items() if len(found)}
    if len(typical) < LEAST_GROUPS:
        return {}
    *others, next_largest, largest = sorted(typical, key=lambda group: (typical[group], group))
    usual = float(np.median([typical[group] for group in (*others, next_largest)]))
    alone = typical[largest] > max(TIMES_THE_USUAL * usual, TIMES_THE_NEXT * typical[next_largest])
    return {largest: round(typical[largest] / usual, 1)} if alone else {}
