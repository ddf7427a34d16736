"""What the report shows, as plain data. Whoever has it gathers it; `render` turns it into a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tile:
    """A small picture: PNGs as data URIs, with the outline of the mask apart, so that a reader can switch it off."""

    picture: str
    outline: str = ""
    note: str = ""


@dataclass(frozen=True)
class Neighbour:
    """An accepted synthetic defect beside the training defect it resembles most, and how much: 0 to 1."""

    synthetic: Tile
    nearest: Tile
    likeness: float


@dataclass(frozen=True)
class GateLine:
    """One gate of one class: the least score it asks for, the attempts it rejected, and the middle score of all."""

    name: str
    limit: float | None
    rejected: int
    median: float | None


@dataclass(frozen=True)
class ClassPage:
    """Everything shown of one defect class.

    `left_out` names the groups that no shape was drawn from, and how many times the usual area their masks have.
    """

    label: str
    asked: int
    accepted: int
    attempts: int
    real: Sequence[Tile]
    synthetic: Sequence[Tile]
    rejected: Sequence[Tile]
    reasons: Mapping[str, int]
    neighbours: Sequence[Neighbour]
    left_out: Mapping[str, float] = field(default_factory=dict)
    gates: Sequence[GateLine] = ()


@dataclass(frozen=True)
class ReportData:
    """The whole report.

    `proof` is what `prove` wrote to results.json; `split_rows` the images and groups per class and part; `problems`
    what the check found (severity, file, message); `facts` a name and a value per line of the reproduction
    table; `quality` the content of quality.json with the points of the map under "map" and, where states of training
    were kept, their numbers under "over_training", None where it was not measured.
    """

    name: str
    generator: str
    classes: Sequence[ClassPage]
    proof: Mapping[str, Any]
    split_rows: Sequence[Mapping[str, Any]]
    problems: Sequence[Mapping[str, Any]]
    command: str
    settings_yaml: str
    facts: Mapping[str, str] = field(default_factory=dict)
    quality: Mapping[str, Any] | None = None
