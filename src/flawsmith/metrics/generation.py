"""How near a set of made images is to a set of real ones: numbers from their features, whatever network gave them.

Features are (N, D) arrays, one row per image. Numbers of different feature networks must never be compared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.spatial.distance import cdist

from flawsmith.core.errors import DataError

Features = NDArray[np.float64]


class Fidelity(NamedTuple):
    """Precision: the share of made images that look real. Recall: the share of real ones the made set covers."""

    precision: float
    recall: float


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


def fid(real: NDArray[Any], made: NDArray[Any]) -> float:
    """Return the Fréchet distance between the normal distributions fitted to two feature sets (Heusel et al. 2017).

    At least two images each. With fewer images than features the distance is biased upwards: compare equal counts only.
    """
    real, made = _features(real, made, least=2)
    shift = real.mean(0) - made.mean(0)
    one, other = (_centred(each) for each in (real, made))
    return float(shift @ shift + (one**2).sum() + (other**2).sum() - 2 * _overlap(one, other))


def _centred(features: Features) -> Features:
    """Return features about their mean, scaled so that their product with themselves is the covariance."""
    centred: Features = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return centred


def _overlap(one: Features, other: Features) -> float:
    """Return tr((C1 C2)^½), C = XᵀX: the sum of the singular values of X1 X2ᵀ, which is small for few images."""
    if min(len(one), len(other)) <= one.shape[1]:
        return float(np.linalg.svd(one @ other.T, compute_uv=False).sum())
    values, vectors = np.linalg.eigh(one.T @ one)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return float(np.sqrt(np.clip(eigvalsh(root @ (other.T @ other) @ root), 0, None)).sum())


def kid(
    real: NDArray[Any], made: NDArray[Any], rng: np.random.Generator, subsets: int = 100, subset_size: int = 1000
) -> tuple[float, float]:
    """Return the mean and spread of the kernel distance over random subsets (Bińkowski et al. 2018).

    The squared maximum mean discrepancy, unbiased, under the kernel (x·y / D + 1)³. Subsets are never larger than the
    smaller set; one that takes every image of both is drawn only once, since all of them are the same.
    """
    real, made = _features(real, made, least=2)
    size = min(subset_size, len(real), len(made))
    draws = 1 if size == len(real) == len(made) else subsets
    found = [
        _discrepancy(rng.choice(real, size, replace=False), rng.choice(made, size, replace=False)) for _ in range(draws)
    ]
    return float(np.mean(found)), float(np.std(found))


def _discrepancy(one: Features, other: Features) -> float:
    """Return the unbiased squared maximum mean discrepancy of two sets of equal size."""
    count = len(one)
    within = sum(_kernel(each, each).sum() - _kernel_diagonal(each).sum() for each in (one, other))
    return float(within / (count * (count - 1)) - 2 * _kernel(one, other).mean())


def _kernel(one: Features, other: Features) -> Features:
    values: Features = (one @ other.T / one.shape[1] + 1) ** 3
    return values


def _kernel_diagonal(features: Features) -> Features:
    values: Features = ((features**2).sum(1) / features.shape[1] + 1) ** 3
    return values


def kid_of_all(real: NDArray[Any], made: NDArray[Any]) -> Estimate:
    """Return the kernel distance over all images at once, as few as there are, with its standard error.

    The squared maximum mean discrepancy, unbiased (Gretton et al. 2012, eq. 3), under the kernel (x·y / D + 1)³: around
    0, and often below, where the sets do not differ. The error is the jackknife's over images of both sets (Efron &
    Stein 1981). At least three images each.
    """
    real, made = _features(real, made, least=3)
    between = _kernel(real, made)
    found = [_within(real), _within(made)]
    value = found[0][0] + found[1][0] - 2 * between.mean()
    variance = 0.0
    for axis, (whole, without) in enumerate(found):
        count = len(without)
        across = (between.sum() - between.sum(1 - axis)) / (between.size - between.shape[1 - axis])
        change = without - whole - 2 * (across - between.mean())
        variance += (count - 1) / count * float((change**2).sum())
    return Estimate(float(value), float(np.sqrt(variance)))


def _within(features: Features) -> tuple[float, Features]:
    """Return the mean kernel of two different images of a set, and (N,) the same with each image left out."""
    count = len(features)
    rows = _kernel(features, features).sum(1) - _kernel_diagonal(features)
    whole = float(rows.sum())
    left: Features = (whole - 2 * rows) / ((count - 1) * (count - 2))
    return whole / (count * (count - 1)), left


def inception_score(probabilities: NDArray[Any]) -> float:
    """Return exp of the mean divergence of class probabilities (N, C) from their mean (Salimans et al. 2016).

    Between 1 (all alike, or undecided) and C (sure of every image, all classes as often). What the classes are decides
    what it says: ImageNet's say little of scratches.
    """
    rows = np.asarray(probabilities, np.float64)
    if rows.ndim != 2 or not len(rows) or (rows < 0).any() or not np.allclose(rows.sum(1), 1, atol=1e-4):
        raise DataError(f"expected rows of class probabilities (N, C) that sum to 1, got shape {rows.shape}")
    least = np.finfo(np.float64).tiny
    surprise = np.log(np.maximum(rows, least)) - np.log(np.maximum(rows.mean(0), least))
    return float(np.exp((rows * surprise).sum(1).mean()))


def precision_recall(real: NDArray[Any], made: NDArray[Any], neighbours: int = 3) -> Fidelity:
    """Return improved precision and recall (Kynkäänniemi et al. 2019): a set covers what is nearer to one of its images
    than that image's k-th neighbour in the set. More than `neighbours` images each.
    """
    real, made = _features(real, made, least=neighbours + 1)
    between = cdist(real, made)
    return Fidelity(
        precision=float((between <= _reach(real, neighbours)[:, None]).any(0).mean()),
        recall=float((between <= _reach(made, neighbours)[None]).any(1).mean()),
    )


def _reach(features: Features, neighbours: int) -> Features:
    """Return each image's distance to its k-th nearest other image (the nearest of all is itself)."""
    reach: Features = np.partition(cdist(features, features), neighbours, axis=1)[:, neighbours]
    return reach


def _features(real: NDArray[Any], made: NDArray[Any], least: int) -> tuple[Features, Features]:
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise DataError(f"expected two feature sets (N, D) of one D, got {real.shape} and {made.shape}")
    if min(len(real), len(made)) < least:
        raise DataError(f"expected at least {least} images on either side, got {len(real)} real and {len(made)} made")
    if not (np.isfinite(real).all() and np.isfinite(made).all()):
        raise DataError("features hold NaN or infinity: the network that made them is broken")
    return real, made
