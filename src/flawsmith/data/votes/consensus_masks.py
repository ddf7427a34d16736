"""One mask per image out of the inspectors' masks, written beside: no original is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD
from flawsmith.data.checks import printable
from flawsmith.data.image_io import image_size_hw, read_mask, write_mask
from flawsmith.data.votes.ballots import Ballot, mask_of
from flawsmith.data.votes.counting import Vote
from flawsmith.data.votes.pixels import Consensus, consensus

MASKS, UNDECIDED = "masks", "undecided"
"""Folders of what more than half have marked, and of what exactly half have."""


@dataclass(frozen=True)
class MaskVote:
    """What the masks of one image came to.

    `inspectors` gave one each, and `ious` are the overlaps of every two, in order; `tied_px` are the pixels that nobody
    decided; `file` is the mask's path from the output folder, None where no label was voted, or where it contradicts
    the mask (`contradicts`).
    """

    inspectors: tuple[str, ...]
    ious: tuple[float, ...]
    tied_px: int
    file: str | None
    contradicts: bool

    @property
    def iou(self) -> float:
        """The mean overlap of every two masks, in [0, 1]."""
        return sum(self.ious) / len(self.ious)


def write_consensus(
    out: Path, images: Mapping[str, Path], ballots: Sequence[Ballot], votes: Sequence[Vote], progress: Progress = silent
) -> dict[str, MaskVote]:
    """Vote on the pixels of every image with two masks or more, and write the masks of those with a voted label.

    Raises ImageError where a mask cannot be read or has not its image's size.
    """
    givers = {each.image: [ballot for ballot in ballots if each.image in ballot.masks] for each in votes}
    several = [each for each in votes if len(givers[each.image]) > 1]
    found = {}
    for number, each in enumerate(several, 1):
        size_hw = image_size_hw(images[each.image])
        masks = [read_mask(mask_of(ballot.masks[each.image]), size_hw) for ballot in givers[each.image]]
        names = tuple(ballot.inspector for ballot in givers[each.image])
        found[each.image] = _written(out, each, names, consensus(masks))
        progress("masks", number, len(several), "")
    return found


def _written(out: Path, vote: Vote, inspectors: tuple[str, ...], voted: Consensus) -> MaskVote:
    contradicts = vote.label is not None and (vote.label == GOOD) == bool(voted.marked.any())
    name = printable(PurePosixPath(vote.image).with_suffix(".png").as_posix())
    file = f"{MASKS}/{name}" if vote.label is not None and not contradicts else None
    if file:
        write_mask(out / file, voted.marked)
    if voted.tied.any():
        write_mask(out / UNDECIDED / name, voted.tied)
    return MaskVote(inspectors, voted.ious, int(voted.tied.sum()), file, contradicts)
