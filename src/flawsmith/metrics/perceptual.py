"""Perceptual distances between pictures, from the feature maps that any network gave of them.

Maps are one (N, C, H, W) array per layer, for the same N pictures in each. Distances of different networks, or with
other weights, must never be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError

Maps = Sequence[NDArray[Any]]
Distances = NDArray[np.float64]
TINY = 1e-8


class Variety(NamedTuple):
    """IC-LPIPS, and how many of the clusters had the two pictures that a distance takes."""

    distance: float
    clusters: int


def lpips(one: Maps, other: Maps, weights: Maps | None = None) -> Distances:
    """Return the LPIPS distance (N,) of each picture in `one` to the picture in its place in `other`.

    Zhang et al. 2018, eq. (1): features of unit length at every position, their squared difference weighted per
    channel, averaged over positions, summed over layers. `weights` are (C,) per layer, not negative; None counts all
    channels as 1 (the paper's baseline without learnt weights).
    """
    layers = list(zip(_rows(one, weights), _rows(other, weights), strict=True))
    total: Distances = np.sum([((a - b) ** 2).sum(1) for a, b in layers], axis=0, dtype=np.float64)
    return total


def lpips_between(one: Maps, other: Maps, weights: Maps | None = None) -> Distances:
    """Return the LPIPS distance (N, M) of every picture in `one` to every picture in `other`."""
    total = np.zeros((len(one[0]), len(other[0])))
    for a, b in zip(_rows(one, weights), _rows(other, weights), strict=True):
        total += (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    return np.maximum(total, 0)


def ic_lpips(to_training: NDArray[Any], among: NDArray[Any]) -> Variety:
    """Return the intra-cluster distance of made pictures (Ojha et al. 2021, section 4): how varied they are beyond
    coming from different training pictures.

    `to_training` (N, K) holds each made picture's distance to each training picture, `among` (N, N) the distances of
    made pictures. Each joins the cluster of its nearest training picture; the mean distance of the pairs in a cluster
    is averaged over clusters. Those with fewer than two pictures have no pair and are left out; NaN if none is left.
    """
    to_training, among = np.asarray(to_training, np.float64), np.asarray(among, np.float64)
    if to_training.ndim != 2 or among.shape != (len(to_training),) * 2 or not to_training.shape[1]:
        raise DataError(f"expected distances (N, K) and (N, N), got {to_training.shape} and {among.shape}")
    nearest = to_training.argmin(1)
    members = [np.flatnonzero(nearest == number) for number in np.unique(nearest)]
    means = [mean_of_pairs(among[np.ix_(each, each)]) for each in members if len(each) > 1]
    return Variety(float(np.mean(means)) if means else float("nan"), len(means))


def mean_of_pairs(distances: NDArray[Any]) -> float:
    """Return the mean of (N, N) distances over pairs of different pictures; NaN for fewer than two."""
    pairs = np.asarray(distances)[np.triu_indices(len(distances), 1)]
    return float(pairs.mean()) if len(pairs) else float("nan")


def _rows(maps: Maps, weights: Maps | None) -> Iterator[NDArray[Any]]:
    """Yield, per layer, a row per picture such that squared Euclidean distances of rows are LPIPS distances."""
    if weights is not None and len(weights) != len(maps):
        raise DataError(f"expected weights for {len(maps)} layers, got {len(weights)}")
    for number, each in enumerate(maps):
        x = np.asarray(each)
        if x.ndim != 4 or 0 in x.shape[1:]:
            raise DataError(f"expected feature maps (N, C, H, W), got shape {x.shape}")
        scale = _root_of_weights(None if weights is None else weights[number], x.shape[1])
        length = np.sqrt((x**2).sum(1, keepdims=True) + TINY)
        unit = x / length * (scale / np.sqrt(x.shape[2] * x.shape[3]))[:, None, None].astype(x.dtype)
        yield unit.reshape(len(x), -1)


def _root_of_weights(weights: NDArray[Any] | None, channels: int) -> Distances:
    if weights is None:
        return np.ones(channels)
    found = np.asarray(weights, np.float64).ravel()
    if len(found) != channels or (found < 0).any():
        raise DataError(f"expected {channels} weights that are not negative, got {len(found)} from {found.min():g}")
    root: Distances = np.sqrt(found)
    return root
