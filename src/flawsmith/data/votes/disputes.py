"""What inspectors disagree on: boxes, two by two, and the images that a labelling guide should explain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from flawsmith.core.records import GOOD
from flawsmith.data.votes.ballots import Ballot
from flawsmith.data.votes.boxes import BoxMatch, match_boxes
from flawsmith.data.votes.consensus_masks import MaskVote
from flawsmith.data.votes.counting import Vote
from flawsmith.data.votes.settings import VoteSettings


@dataclass(frozen=True)
class BoxComparison:
    """The boxes that two inspectors drew in one image, compared."""

    image: str
    one: str
    other: str
    match: BoxMatch


@dataclass(frozen=True)
class Ambiguous:
    """An image on which inspectors disagree, and in what."""

    image: str
    agreement: float
    reasons: tuple[str, ...]


def compare_boxes(images: Sequence[str], ballots: Sequence[Ballot], settings: VoteSettings) -> list[BoxComparison]:
    """Compare the boxes of every two inspectors who draw boxes, in every image that both have labelled."""
    return list(_comparisons(images, ballots, settings))


def _comparisons(images: Sequence[str], ballots: Sequence[Ballot], settings: VoteSettings) -> Iterator[BoxComparison]:
    for one, other in combinations([ballot for ballot in ballots if ballot.boxes is not None], 2):
        first, second = one.boxes or {}, other.boxes or {}
        for image in images:
            if image in first and image in second:
                match = match_boxes(first[image], second[image], settings.box_iou, settings.box_size_ratio)
                yield BoxComparison(image, one.inspector, other.inspector, match)


def ambiguous(
    votes: Sequence[Vote],
    agreements: Mapping[str, float],
    boxes: Sequence[BoxComparison],
    masks: Mapping[str, MaskVote],
    settings: VoteSettings,
) -> list[Ambiguous]:
    """Return the images that inspectors see differently, those they agree on least first.

    `agreements` is the share of agreeing pairs of votes by image, NaN where there are no two.
    """
    disputed: dict[str, list[str]] = {}
    for each in boxes:
        if each.match.disputes:
            disputed.setdefault(each.image, []).append(_of_boxes(each))
    found = []
    for vote in votes:
        reasons = [*_of_labels(vote, agreements[vote.image], settings)]
        reasons += disputed.get(vote.image, [])
        reasons += _of_masks(vote, masks.get(vote.image), settings)
        if reasons:
            found.append(Ambiguous(vote.image, agreements[vote.image], tuple(reasons)))
    return sorted(found, key=lambda each: (_rank(each.agreement), _rank(getattr(masks.get(each.image), "iou", 1.0))))


def _rank(value: float) -> float:
    return 1.0 if math.isnan(value) else value


def _of_labels(vote: Vote, agreement: float, settings: VoteSettings) -> Iterator[str]:
    if vote.status in ("tie", "no majority"):
        yield vote.status
    if agreement < settings.least_agreement:
        yield f"{agreement:.0%} of the pairs of labels agree"


def _of_boxes(each: BoxComparison) -> str:
    return f"boxes of {each.one} and {each.other} differ in {', '.join(each.match.disputes)}"


def _of_masks(vote: Vote, mask: MaskVote | None, settings: VoteSettings) -> Iterator[str]:
    if mask is not None and mask.contradicts:
        marked = "mark a defect" if vote.label == GOOD else "agree on no pixel"
        yield f"voted {vote.label}, but more than half of the masks {marked}"
    if mask is not None and mask.iou < settings.mask_iou:
        yield f"masks overlap by {mask.iou:.0%}"
