"""What hangs together when some things are linked in pairs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def firsts(pairs: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Return, for each of `count` things, the first of those that pairs of places link it to, itself if none.

    >>> firsts([(3, 1), (4, 3)], 5)
    [0, 1, 2, 1, 1]
    """
    links = np.array(list(pairs), np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    parts = connected_components(graph, directed=False)[1]
    _, first, part = np.unique(parts, return_index=True, return_inverse=True)
    return [int(place) for place in first[part]]
