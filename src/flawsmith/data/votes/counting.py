"""From several labels to one: the label of more than half, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flawsmith.data.votes.ballots import Ballot

Status = Literal["voted", "tie", "no majority", "too few", "dropped"]
STATUSES: tuple[Status, ...] = ("voted", "tie", "no majority", "too few", "dropped")
ABSENT = -1
"""The code of an image that an inspector gave no label."""


@dataclass(frozen=True)
class Vote:
    """What was voted of one image: `votes` by label, the most first; `label` is None unless the status is "voted"."""

    image: str
    status: Status
    label: str | None
    votes: Mapping[str, int]


@dataclass(frozen=True)
class Tally:
    """All labels as numbers: `codes` (images, inspectors) number the `labels`, `ABSENT` where there is none."""

    images: tuple[str, ...]
    inspectors: tuple[str, ...]
    labels: tuple[str, ...]
    codes: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many inspectors gave an image a label: (images, labels)."""
        return np.asarray((self.codes[:, :, None] == np.arange(len(self.labels))).sum(1), np.int64)


def vote(image: str, given: Iterable[str], least_votes: int = 2, dropped: Sequence[str] = ()) -> Vote:
    """Return what labels given to one image come to.

    "tie": two labels lead with the same number; "no majority": one leads with at most half; "too few": fewer labels
    than `least_votes`; "dropped": the majority is one of the labels that mean the image shall not be used.

    >>> vote("a.png", ["dent", "dent", "good"]).label, vote("a.png", ["dent", "good"]).status
    ('dent', 'tie')
    """
    votes = dict(Counter(sorted(given)).most_common())
    label, most = next(iter(votes.items()), ("", 0))
    if sum(votes.values()) < max(1, least_votes):
        return Vote(image, "too few", None, votes)
    if 2 * most <= sum(votes.values()):
        return Vote(image, "tie" if list(votes.values()).count(most) > 1 else "no majority", None, votes)
    return Vote(image, "dropped", None, votes) if label in dropped else Vote(image, "voted", label, votes)


def tally(images: Iterable[str], ballots: Sequence[Ballot]) -> Tally:
    """Return what inspectors say of images as numbers; labels in alphabetical order."""
    images = tuple(images)
    labels = tuple(sorted({label for ballot in ballots for label in ballot.labels.values()}))
    number = {label: code for code, label in enumerate(labels)}
    rows = [[number.get(ballot.labels.get(image, ""), ABSENT) for ballot in ballots] for image in images]
    codes = np.array(rows, np.int64).reshape(len(images), len(ballots))
    return Tally(images, tuple(ballot.inspector for ballot in ballots), labels, codes)


def alike_names(labels: Iterable[str]) -> list[list[str]]:
    """Return the sets of labels that differ in nothing but case, spaces and punctuation: probably one class.

    >>> alike_names(["Scratch", "scratch", "dent"])
    [['Scratch', 'scratch']]
    """
    same: dict[str, list[str]] = {}
    for label in sorted(labels):
        plain = "".join(letter for letter in label.casefold() if letter.isalnum())
        same.setdefault(plain or label, []).append(label)
    return [each for each in same.values() if len(each) > 1]
