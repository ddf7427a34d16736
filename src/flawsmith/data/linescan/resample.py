"""Lines at uneven places to rows at even ones: area-weighted where dense, linear where sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_ROWS = 512
"""Rows that are computed at a time."""


def resample(
    lines: NDArray[Any],
    kept: NDArray[np.intp],
    pixels: NDArray[np.float64],
    rows: int,
    holes: NDArray[np.bool_],
) -> NDArray[Any]:
    """Return (rows, values) of the lines' type, row r at travel r.

    `lines` (N, values); `kept` numbers the lines that count, at travel `pixels` in rising order; `holes` (one per step
    between them) are not interpolated over: rows beside them take the nearest line.
    """
    weights = row_weights(pixels, rows, holes)
    image = np.empty((rows, lines.shape[1]), lines.dtype)
    for first in range(0, rows, _ROWS):
        part = weights[first : first + _ROWS].tocsc()
        used = np.flatnonzero(np.diff(part.indptr))
        mixed = part[:, used] @ lines[kept[used]].astype(np.float32)
        image[first : first + _ROWS] = np.rint(np.clip(mixed, 0, np.iinfo(lines.dtype).max))
    return image


def row_weights(pixels: NDArray[np.float64], rows: int, holes: NDArray[np.bool_]) -> sparse.csr_array:
    """Return the share (rows, lines) of each line in each row; every row sums to 1.

    Lines at one place count as one line. A line stands for the travel that is nearer to it than to its neighbours, and
    a row takes from each line the part that lies inside the row: with a line per pixel that is linear interpolation.
    Rows between lines more than a pixel apart are interpolated between the two instead, holes excepted.
    """
    places, group, count = np.unique(pixels, return_inverse=True, return_counts=True)
    between = np.diff(places)
    hole = np.isin(places[1:], pixels[1:][holes])
    area, linear = _area_weights(places, rows), _linear_weights(places, rows)
    step = np.clip(np.searchsorted(places, np.arange(rows), side="right") - 1, 0, len(between) - 1)
    is_sparse = (between > 1)[step] & ~hole[step]
    chosen = (
        sparse.diags_array(is_sparse.astype(float)) @ linear + sparse.diags_array((~is_sparse).astype(float)) @ area
    )
    lines_of = sparse.csr_array((1 / count[group], (group, np.arange(len(pixels)))), shape=(len(places), len(pixels)))
    return (chosen @ lines_of).tocsr()


def _linear_weights(places: NDArray[np.float64], rows: int) -> sparse.csr_array:
    at = np.arange(rows)
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    right_share = np.clip((at - places[left]) / (places[left + 1] - places[left]), 0, 1)
    shares = np.concatenate([1 - right_share, right_share])
    return sparse.csr_array((shares, (np.tile(at, 2), np.concatenate([left, left + 1]))), shape=(rows, len(places)))


def _area_weights(places: NDArray[np.float64], rows: int) -> sparse.csr_array:
    """Return how much of each row's travel, half a pixel before it to half a pixel after it, belongs to which line."""
    middles = (places[1:] + places[:-1]) / 2
    row_edges = np.arange(rows + 1) - 0.5
    first, last = places[0] - min(0.5, middles[0] - places[0]), places[-1] + min(0.5, places[-1] - middles[-1])
    edges = np.union1d(middles, np.clip(row_edges, first, last))
    edges = np.union1d(edges, [first, last])
    length, centre = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    line, row = np.searchsorted(middles, centre), np.floor(centre + 0.5).astype(int)
    inside = (row >= 0) & (row < rows)
    parts = sparse.csr_array((length[inside], (row[inside], line[inside])), shape=(rows, len(places)))
    return sparse.diags_array(1 / parts.sum(axis=1)) @ parts
