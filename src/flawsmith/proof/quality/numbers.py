"""The numbers of one comparison: a set of synthetic crops against a set of real ones, each seen by one network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.features.extractor import Look, Values
from flawsmith.metrics.generation import fid, inception_score, kid_of_all, precision_recall
from flawsmith.metrics.perceptual import ic_lpips, lpips_between, mean_of_pairs

LEAST = 3
"""Crops on either side below which no distance of sets is computed."""
NEIGHBOURS = 3
Numbers = dict[str, Any]


def set_distances(real: NDArray[Any], other: NDArray[Any]) -> Numbers:
    """Return FID and KID (with its standard error) of two feature sets (N, D); None where one has too few rows."""
    if min(len(real), len(other)) < LEAST:
        return {"fid": None, "kid": None, "kid_error": None}
    value, error = kid_of_all(real, other)
    return {"fid": fid(real, other), "kid": value, "kid_error": error}


def coverage(real: NDArray[Any], made: NDArray[Any]) -> Numbers:
    """Return improved precision and recall; None where a set is too small for its neighbours."""
    if min(len(real), len(made)) <= NEIGHBOURS:
        return {"precision": None, "recall": None}
    return dict(precision_recall(real, made, NEIGHBOURS)._asdict())


def halves(groups: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the crops of every other group, and of the rest: no group is in both."""
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    side = np.array([order[group] % 2 for group in groups], np.int64)
    return np.flatnonzero(side == 0), np.flatnonzero(side == 1)


def set_numbers(real: Values, groups: Sequence[str], made: Values, unseen: Values) -> Numbers:
    """Return the distances of `made` to `real` features, and as yardsticks those of two halves of the real groups, and
    of the real ones to `unseen` real ones (of the validation part).
    """
    one, other = halves(groups)
    return {
        "synthetic": set_distances(real, made) | coverage(real, made),
        "real_halves": set_distances(real[one], real[other]),
        "real_unseen": set_distances(real, unseen),
    }


def picture_numbers(real: Look, groups: Sequence[str], made: Look, weights: Sequence[Values] | None) -> Numbers:
    """Return LPIPS from each synthetic crop to its nearest real one, and IC-LPIPS; beside them the same of real crops,
    taken between groups only.
    """
    to_real = lpips_between(made.maps, real.maps, weights)
    variety = ic_lpips(to_real, lpips_between(made.maps, made.maps, weights))
    apart = np.array(groups)[:, None] != np.array(groups)[None]
    among = lpips_between(real.maps, real.maps, weights)
    nearest = np.where(apart, among, np.inf).min(1)
    nearest = nearest[np.isfinite(nearest)]
    return {
        "synthetic": {
            "lpips_to_nearest": float(to_real.min(1).mean()),
            "lpips_of_pairs": mean_of_pairs(lpips_between(made.maps, made.maps, weights)),
            "ic_lpips": variety.distance,
            "clusters": variety.clusters,
        },
        "real": {
            "lpips_to_nearest": float(nearest.mean()) if len(nearest) else None,
            "lpips_of_pairs": float(among[apart].mean()) if apart.any() else None,
        },
    }


def score(logits: NDArray[Any]) -> float:
    """Return the Inception score of crops by a network's logits (N, K), so by the classes that it tells."""
    shares = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return inception_score(shares / shares.sum(1, keepdims=True))


def cautions(real: int, made: int, groups: int, dimensions: int) -> list[str]:
    """Return in words what the numbers of a comparison must not be taken for."""
    found = []
    if min(real, made) <= dimensions:
        found.append(
            f"FID of {real} real and {made} synthetic crops in {dimensions} dimensions is far too high by its own bias "
            "and may not be quoted: read KID with its standard error"
        )
    if min(real, made) < LEAST:
        found.append(f"fewer than {LEAST} crops on one side: no distance of sets")
    if min(real, made) <= NEIGHBOURS:
        found.append(f"not more than {NEIGHBOURS} crops on one side: no precision, no recall")
    if groups < 2:
        found.append("all real crops are of one group: nothing says how far different real defects are apart")
    elif groups < 2 * LEAST:
        found.append(f"the real crops are of {groups} groups only: the yardsticks are rough")
    return found
