"""The first screen, for somebody who decides: what is found, what it is worth in real defects, five pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from flawsmith.proof.report.data import ClassPage, ReportData, Tile
from flawsmith.proof.verdict import JUDGED
from flawsmith.proof.worth import Worth, number, span

PICTURES = 5


@dataclass(frozen=True)
class Figure:
    """One big number and what it says; `number` is a dash where there is none."""

    number: str
    says: str
    detail: str


@dataclass(frozen=True)
class Headline:
    """The figures of the first screen, and synthetic defects of every class in turn."""

    figures: Sequence[Figure]
    pictures: Sequence[Tile]


def headline(data: ReportData) -> Headline:
    """Choose what the first screen shows."""
    found = {metric: data.proof["worth"][metric] for metric in data.proof["verdict"]["metrics"]}
    worths = [_worth(worth, JUDGED[metric]) for metric, worth in found.items()]
    unmeasured = all(worth["status"] == "too few points" for worth in found.values())
    return Headline([_recall(data.proof), *(worths[:1] if unmeasured else worths)], pictures(data.classes))


def pictures(pages: Sequence[ClassPage]) -> list[Tile]:
    """Return five accepted synthetic defects, class by class in turn."""
    turns = zip_longest(*([Tile(each.picture, each.outline, page.label) for each in page.synthetic] for page in pages))
    return [each for each in chain.from_iterable(turns) if each is not None][:PICTURES]


def _recall(proof: Mapping[str, Any]) -> Figure:
    found = {arm["arm"]: arm["metrics"]["recall_at_fpr"] for arm in proof["arms"]}
    candidate, base = proof["verdict"]["candidate"], proof["against_base"][0]["other"]
    mine = found[candidate]
    return Figure(
        percent(mine["mean"]),
        f"of the defective test images found when {100 * proof['false_alarm_rate']:g} % of the good ones raise a false "
        "alarm",
        f"95 % confidence: {percent(mine['low'])} to {percent(mine['high'])}. Real images alone: "
        f"{percent(found[base]['mean'])}",
    )


def _worth(found: Mapping[str, Any], about: str) -> Figure:
    """Word what the candidate is worth in one metric, and that a gain which may be none is not sure."""
    worth = Worth(**{name: value for name, value in found.items() if name != "sentence"})
    as_much = f"more real defective parts per class would do as much as the synthetic ones at {about}"
    if worth.status == "no gain":
        return Figure("0", as_much, found["sentence"])
    if worth.status != "said" or worth.more is None:
        return Figure("–", f"what the synthetic ones are worth in real defects at {about}", found["sentence"])
    sure = "" if worth.low is not None and worth.low > 0 else "not sure, "
    detail = f"{sure}95 % confidence: {span(worth)}, beside the {number(worth.groups)} there are"
    return Figure(f"≈ {number(worth.more)}", as_much, detail)


def percent(value: float | None) -> str:
    """Write a share of one in percent, a missing one as a dash."""
    return "–" if value is None else f"{100 * value:.0f} %"
