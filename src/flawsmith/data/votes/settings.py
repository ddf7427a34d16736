"""How labels of several inspectors are counted and doubted."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from flawsmith.core.settings import Settings


class VoteSettings(Settings):
    """How labels of several inspectors are counted, compared and doubted."""

    groups: Path | None = None
    """CSV with the columns file and group: images of one part, shot or burst; `groups.csv` of the folder, if there."""
    least_votes: int = Field(default=2, ge=1)
    """Images with fewer labels than this get none."""
    dropped: tuple[str, ...] = ("unusable",)
    """Labels that mean the image shall not be used."""
    least_agreement: float = Field(default=1.0, ge=0, le=1)
    """Images of whose pairs of votes a smaller share agrees are ambiguous; 1: wherever anybody disagrees."""
    box_iou: float = Field(default=0.5, gt=0, le=1)
    """Boxes that overlap by at least this (intersection over union) may mean the same defect."""
    box_size_ratio: float = Field(default=1.5, ge=1)
    """Boxes of one defect whose areas differ by more than this factor disagree in size."""
    mask_iou: float = Field(default=0.5, ge=0, le=1)
    """Images whose masks overlap by less than this (mean of all pairs) are ambiguous."""
    spot_checks: int = Field(default=20, ge=0)
    """Images drawn at random to be looked at again."""
    draws: int = Field(default=1000, ge=1)
    """Resamples for the intervals of the kappas."""
    suspects: bool = True
    """Whether labels that the pictures contradict are looked for; this needs cleanlab."""
    folds: int = Field(default=5, ge=2)
    """Parts into which the images are cut to foretell each from the others."""
    join_lookalikes: bool = True
    """Keep pictures that seem to show one part on one side when labels are foretold, also without a groups file."""
    seed: int = 0
    """Decides the spot checks, the resamples and the folds."""
