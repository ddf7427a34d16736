"""The smoothest way to continue a picture into a hole (Pérez, Gangnet, Blake 2003, eq. 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from flawsmith.core.records import Mask


def membrane(values: NDArray[np.float32], region: Mask) -> NDArray[np.float32]:
    """Return the harmonic function in `region` that continues `values` (HWC) from its border; outside: `values`.

    The picture's own border is left free (no slope across it).
    """
    result = values.copy()
    if not region.any() or region.all():
        return result
    height, width = region.shape
    number = np.full(region.shape, -1, np.int64)
    number[region] = np.arange(region.sum())
    y, x = np.nonzero(region)
    own = number[y, x]
    degree, sides = np.zeros(len(own)), np.zeros((len(own), values.shape[2]))
    rows, columns = [own], [own]
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        ny, nx, here = (y + dy)[inside], (x + dx)[inside], own[inside]
        degree[here] += 1
        unknown = region[ny, nx]
        rows.append(here[unknown])
        columns.append(number[ny, nx][unknown])
        sides[here[~unknown]] += values[ny, nx][~unknown]
    entries = np.concatenate([degree, *(-np.ones(len(each)) for each in rows[1:])])
    matrix = coo_matrix((entries, (np.concatenate(rows), np.concatenate(columns))), (len(own), len(own)))
    result[region] = splu(matrix.tocsc()).solve(sides)
    return result
