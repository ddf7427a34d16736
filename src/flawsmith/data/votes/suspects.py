"""Labels that the pictures contradict: each is foretold from the other pictures alone, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from flawsmith.core.errors import DataError
from flawsmith.core.rng import derive_seed

INSTALL = "pip install 'flawsmith[votes]'"
TREES = 300
LEAST_GROUPS = 3
"""A label with fewer groups cannot be foretold from the others."""
_MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Suspect:
    """A label to look at again: the place of its image, what the picture looks more like, and cleanlab's score.

    `score` is the share of the trees that foretold the label as it is, in [0, 1]: the lower, the worse.
    """

    place: int
    proposed: str
    score: float


class Foretold(NamedTuple):
    """Labels foretold by cross-validation.

    `shares` is (images, labels) in [0, 1]; NaN for images that could not be judged. `labels` are its columns.
    """

    labels: tuple[str, ...]
    shares: NDArray[np.float64]


def cleanlab_version() -> str | None:
    """Return the version of cleanlab, which finds the suspects, or None where it is not installed."""
    try:
        return version("cleanlab")
    except PackageNotFoundError:
        return None


def foretold(
    features: NDArray[np.float64], labels: Sequence[str], groups: Sequence[str], folds: int, seed: int
) -> Foretold:
    """Return each image's label as foretold from images of other groups only.

    `features` is (images, features). Labels with fewer than three groups are left out, and their images NaN. Raises
    DataError where fewer than two labels remain.
    """
    names, parts = np.array(labels), np.array(groups)
    known = [label for label in sorted(set(labels)) if len(set(parts[names == label])) >= LEAST_GROUPS]
    if len(known) < 2:
        got = ", ".join(known) or "none"
        raise DataError(f"suspects need two labels with images of at least {LEAST_GROUPS} groups each, got {got}")
    rows = np.flatnonzero(np.isin(names, known))
    codes = np.searchsorted(known, names[rows])
    shares = np.full((len(names), len(known)), np.nan)
    fewest = min(len(set(parts[names == label])) for label in known)
    cut = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=derive_seed(seed, "folds") % _MOST_SEED)
    for fold, (learn, judge) in enumerate(cut.split(rows, codes, parts[rows])):
        if len(set(codes[learn])) == len(known):  # else a label stands on one side only, and would be called wrong
            forest = ExtraTreesClassifier(
                TREES, class_weight="balanced", random_state=derive_seed(seed, "trees", fold) % _MOST_SEED
            )
            forest.fit(features[rows[learn]], codes[learn])
            shares[rows[judge]] = forest.predict_proba(features[rows[judge]])
    return Foretold(tuple(known), shares)


def suspects(given: Sequence[str], said: Foretold) -> list[Suspect]:
    """Return the labels that cleanlab finds wrong by confident learning (Northcutt et al. 2021), the worst first.

    Raises DataError, saying what to install, where cleanlab is missing.
    """
    if cleanlab_version() is None:
        raise DataError(f"suspects are found by cleanlab, which is not installed: {INSTALL}")
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    places = np.flatnonzero(np.isfinite(said.shares).all(1))
    if not len(places):
        return []
    codes = np.searchsorted(said.labels, np.array(given)[places])
    shares = said.shares[places]
    found = find_label_issues(codes, shares, return_indices_ranked_by="self_confidence", n_jobs=1)
    scores = get_label_quality_scores(codes, shares, method="self_confidence")
    best = shares.argmax(1)
    return [
        Suspect(int(places[each]), said.labels[best[each]], float(scores[each]))
        for each in found
        if best[each] != codes[each]
    ]
