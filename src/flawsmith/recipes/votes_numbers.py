"""How well inspectors agree, in numbers: what agreement.json holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.rng import stream
from flawsmith.data.votes.consensus_masks import MaskVote
from flawsmith.data.votes.counting import ABSENT, Tally, Vote, alike_names
from flawsmith.data.votes.disputes import BoxComparison
from flawsmith.data.votes.settings import VoteSettings
from flawsmith.metrics.agreement import Kappa, cohen_kappa, fleiss_kappa, label_kappas, with_interval

KINDS = ("count", "name", "size", "place")


def kappas(tally: Tally, groups: Sequence[str], settings: VoteSettings) -> dict[str, Any]:
    """Return Fleiss' kappa of all, and Cohen's of every two, with 95 % intervals from whole groups drawn again."""
    numbers = np.unique(np.array(groups), return_inverse=True)[1]
    return {"fleiss": _fleiss(tally, numbers, settings), "cohen": _cohen(tally, numbers, settings)}


def usual_votes(counts: NDArray[np.int64]) -> int:
    """Return how many votes most images have, of those with at least two; the larger number of two as frequent, or 0.

    >>> usual_votes(np.array([[2, 1], [3, 0], [1, 1], [1, 0]]))
    3
    """
    votes = Counter(int(each) for each in counts.sum(1) if each > 1)
    return max(votes, key=lambda each: (votes[each], each), default=0)


def label_numbers(tally: Tally, votes: Sequence[Vote]) -> dict[str, Any]:
    """Return for each label how often it was voted and given, by whom, and its kappa against all others."""
    counts = tally.counts
    same = counts[counts.sum(1) == usual_votes(counts)] if usual_votes(counts) else counts[:0]
    kappa = label_kappas(same) if len(same) else np.full(len(tally.labels), np.nan)
    voted = Counter(vote.label for vote in votes)
    given = {who: Counter(tally.codes[:, column].tolist()) for column, who in enumerate(tally.inspectors)}
    return {
        label: {
            "voted": voted[label],
            "given": {who: numbers[code] for who, numbers in given.items()},
            "kappa": finite(float(kappa[code])),
        }
        for code, label in enumerate(tally.labels)
    }


def counts_of(tally: Tally, votes: Sequence[Vote]) -> dict[str, Any]:
    """Return how many images there are, how many of them each inspector labelled, and what became of them."""
    labelled = (tally.codes != ABSENT).sum(0).tolist()
    return {
        "images": len(tally.images),
        "inspectors": dict(zip(tally.inspectors, labelled, strict=True)),
        "status": dict(Counter(vote.status for vote in votes)),
        "labels_alike": alike_names(tally.labels),
    }


def box_numbers(comparisons: Sequence[BoxComparison]) -> dict[str, Any] | None:
    """Return in how many images every two inspectors' boxes differ, in what, and which; None where nobody drew any."""
    if not comparisons:
        return None
    pairs = []
    for one, other in dict.fromkeys((each.one, each.other) for each in comparisons):
        mine = [each.match for each in comparisons if (each.one, each.other) == (one, other)]
        ious = [iou for match in mine for iou in match.ious]
        differing = {kind: sum(kind in match.disputes for match in mine) for kind in KINDS}
        mean = float(np.mean(ious)) if ious else None
        pairs.append({"one": one, "other": other, "images": len(mine), **differing, "mean_iou": mean})
    rows = [
        {"image": each.image, "one": each.one, "other": each.other, "differ_in": list(each.match.disputes)}
        for each in comparisons
        if each.match.disputes
    ]
    return {"pairs": pairs, "images": rows}


def mask_numbers(masks: Iterable[MaskVote]) -> list[dict[str, Any]]:
    """Return how far the masks of every two inspectors overlap, on average over the images that both have marked."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for mask in masks:
        for pair, iou in zip(combinations(mask.inspectors, 2), mask.ious, strict=True):
            pairs.setdefault(pair, []).append(iou)
    return [
        {"one": one, "other": other, "images": len(ious), "mean_iou": float(np.mean(ious))}
        for (one, other), ious in pairs.items()
    ]


def finite(value: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return value if math.isfinite(value) else None


def _fleiss(tally: Tally, groups: NDArray[np.int64], settings: VoteSettings) -> dict[str, Any] | None:
    counts = tally.counts
    votes = usual_votes(counts)
    if not votes:
        return None
    chosen = counts.sum(1) == votes
    rng = stream(settings.seed, "fleiss")
    kappa = with_interval(partial(fleiss_kappa, counts[chosen]), _renumbered(groups[chosen]), settings.draws, rng)
    return {**_kappa(kappa), "images": int(chosen.sum()), "votes_per_image": votes}


def _cohen(tally: Tally, groups: NDArray[np.int64], settings: VoteSettings) -> list[dict[str, Any]]:
    rows = []
    for one, other in combinations(range(len(tally.inspectors)), 2):
        both = (tally.codes[:, [one, other]] != ABSENT).all(1)
        names = tally.inspectors[one], tally.inspectors[other]
        row: dict[str, Any] = {"one": names[0], "other": names[1], "images": int(both.sum())}
        if both.any():
            found = partial(cohen_kappa, tally.codes[both, one], tally.codes[both, other])
            rng = stream(settings.seed, "cohen", *names)
            row |= _kappa(with_interval(found, _renumbered(groups[both]), settings.draws, rng))
        rows.append(row)
    return rows


def _kappa(kappa: Kappa) -> dict[str, Any]:
    return {"kappa": finite(kappa.value), "low": finite(kappa.interval.low), "high": finite(kappa.interval.high)}


def _renumbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.unique(groups, return_inverse=True)[1])
