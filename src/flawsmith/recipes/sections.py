"""What the pages of the check and of the votes list: findings under a title, the first of them with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flawsmith.proof.report.data import Tile

LISTED = 500
"""Findings of a section that are shown; the others stand in its file."""


@dataclass(frozen=True)
class Row:
    """One finding as it is shown: the name of an image or file, and what is said of it."""

    name: str
    text: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Section:
    """The first of `count` findings of one kind, all of which stand in `file`; `severity` as the check has it."""

    title: str
    rows: Sequence[Row]
    count: int
    file: str
    lead: str = ""
    severity: str = ""
