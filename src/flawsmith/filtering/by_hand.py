"""Verdicts given by hand, and the gates' limits that agree with them best.

A limit is learned only where a gate's scores of accepted images lie above those of rejected ones more than chance
would have it (Mann & Whitney 1947, one-sided), and never the other way round: a higher score is never held against an
image.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError

COLUMNS = ("image", "verdict")
WORDS = ("accept", "reject")
LEAST = 8
"""Verdicts of either kind below which nothing is learned: with fewer, a gate may separate them by luck."""
LEVEL = 0.05
"""Chance of learning any limit at all from verdicts that have nothing to do with the scores."""
PARTS = 20
Scores = Mapping[str, float]


@dataclass(frozen=True)
class Limit:
    """The least score that a gate asks for, learned from `accepted` and `rejected` images.

    `auroc` says how well its scores tell the two apart, `p` how probable that is by chance; `kept` is the share of the
    accepted that reach the limit, `dropped` that of the rejected that do not.
    """

    gate: str
    least: float
    accepted: int
    rejected: int
    auroc: float
    p: float
    kept: float
    dropped: float


@dataclass(frozen=True)
class Learned:
    """What verdicts by hand teach: limits in the order in which they were learned, and what they are worth.

    `held_out_kept` and `held_out_dropped` are shares of accepted images kept and rejected ones dropped by limits
    learned without them; None where nothing was learned. `sentence` says all this in words.
    """

    accepted: int
    rejected: int
    limits: tuple[Limit, ...]
    held_out_kept: float | None
    held_out_dropped: float | None
    sentence: str

    @property
    def least(self) -> dict[str, float]:
        """The least score by gate."""
        return {limit.gate: limit.least for limit in self.limits}


def read_verdicts(path: Path, names: Collection[str]) -> dict[str, bool]:
    """Return whether each image named in a CSV with the columns image and verdict (accept or reject) is accepted.

    An image is named by one of `names`, or by the path of its PNG. Raises DataError for what is not such a table, an
    image that is not among the names, and one that is both accepted and rejected.
    """
    found: dict[str, bool] = {}
    for line, image, verdict in _rows(path):
        name = _name_of(image)
        if name not in names:
            near = get_close_matches(name, list(names), n=1, cutoff=0.5)
            proposal = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{path}, line {line}: no synthetic image is called {image!r}{proposal} Give the path or the id of an "
                "image of this run, as in generate/gates.jsonl"
            )
        if verdict not in WORDS:
            raise DataError(f"{path}, line {line}: expected the verdict accept or reject, got {verdict!r}")
        if found.setdefault(name, verdict == "accept") != (verdict == "accept"):
            raise DataError(f"{path}, line {line}: {image!r} is both accepted and rejected: keep one of the two lines")
    if not found:
        raise DataError(f"{path} holds no verdict: give a line per image, for example scratch/00001,accept")
    return found


def _rows(path: Path) -> list[tuple[int, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = [str(name).strip().lower() for name in table.fieldnames or ()]
            table.fieldnames = columns
            missing = [name for name in COLUMNS if name not in columns]
            if missing:
                raise DataError(
                    f"{path}: expected the columns image and verdict in its first line, got {', '.join(columns)}"
                )
            return [
                (table.line_num, (row["image"] or "").strip(), (row["verdict"] or "").strip().lower()) for row in table
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read ({error}): give a CSV file with the columns image and verdict"
        ) from None


def _name_of(image: str) -> str:
    """Return the id that a path names.

    >>> _name_of("runs/a/generate/images/scratch/00001.png")
    'scratch/00001'
    """
    name = image.replace("\\", "/").removesuffix(".png")
    for folder in ("images/", "rejected/"):
        name = name.rpartition(folder)[2] if name.startswith(folder) or f"/{folder}" in name else name
    return name.removeprefix("./")


def learn_limits(scores: Sequence[Scores], accepted: Sequence[bool]) -> Learned:
    """Learn the gates' limits from images judged by hand: their scores by gate, and whether each was accepted.

    Gate after gate: the one that separates surest first, each on the verdicts that those before it left to explain.

    >>> learn_limits([{"visible": 1.0}, {"visible": 3.0}], [False, True]).sentence
    'Nothing is learned from 1 accepted and 1 rejected images: at least 8 of each are needed.'
    """
    said = np.array(accepted, bool)
    counts = int(said.sum()), int((~said).sum())
    basis = f"from {counts[0]} accepted and {counts[1]} rejected images"
    if min(counts) < LEAST:
        return _nothing(*counts, f"Nothing is learned {basis}: at least {LEAST} of each are needed.")
    limits = _learned(scores, said)
    if not limits:
        return _nothing(*counts, f"Nothing is learned {basis}: no gate's score tells them apart better than chance.")
    kept, dropped = _held_out(scores, said)
    found = ", ".join(f"{limit.gate} from {limit.least:.3g}" for limit in limits)
    worth = f"Limits learned without them keep {kept:.0%} of the accepted and drop {dropped:.0%} of the rejected."
    return Learned(*counts, limits, kept, dropped, f"Learned {basis}: {found}. {worth}")


def _nothing(accepted: int, rejected: int, sentence: str) -> Learned:
    return Learned(accepted, rejected, (), None, None, sentence)


def passes(scores: Scores, least: Mapping[str, float]) -> bool:
    """Return whether every limit is reached; a score that an image does not have is not asked for."""
    return all(scores[gate] >= value for gate, value in least.items() if gate in scores)


def _learned(scores: Sequence[Scores], accepted: NDArray[np.bool_]) -> tuple[Limit, ...]:
    gates = sorted({gate for each in scores for gate in each})
    left, found = np.ones(len(accepted), bool), list[Limit]()
    while len(found) < len(gates):
        open_gates = [gate for gate in gates if gate not in {limit.gate for limit in found}]
        tried = [_limit(gate, scores, accepted, left) for gate in open_gates]
        best = min((each for each in tried if each is not None), key=lambda each: each.p, default=None)
        if best is None or best.p * len(gates) > LEVEL:
            break
        found.append(best)
        left &= np.array([passes(each, {best.gate: best.least}) for each in scores])
    return tuple(found)


def _limit(gate: str, scores: Sequence[Scores], accepted: NDArray[np.bool_], left: NDArray[np.bool_]) -> Limit | None:
    """Return the limit that separates the verdicts left best; None where the gate has nothing to separate."""
    from scipy.stats import mannwhitneyu

    known = left & np.array([gate in each for each in scores])
    values = np.array([each.get(gate, np.nan) for each in scores])
    good, bad = values[known & accepted], values[known & ~accepted]
    if not len(good) or not len(bad) or np.ptp(values[known]) == 0:
        return None
    test = mannwhitneyu(good, bad, alternative="greater")
    steps = np.unique(values[known])
    limits = (steps[1:] + steps[:-1]) / 2
    gain = (good[:, None] >= limits).mean(0) - (bad[:, None] >= limits).mean(0)
    least = float(limits[int(gain.argmax())])  # the lowest of equally good ones: it drops the fewest
    return Limit(
        gate, least, len(good), len(bad), float(test.statistic) / (len(good) * len(bad)), float(test.pvalue),
        float((good >= least).mean()), float((bad < least).mean()),
    )  # fmt: skip


def _held_out(scores: Sequence[Scores], accepted: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the shares of accepted images kept and of rejected ones dropped, each by limits learned without it."""
    places = np.concatenate([np.flatnonzero(accepted), np.flatnonzero(~accepted)])
    passed = np.zeros(len(accepted), bool)
    for part in range(min(PARTS, len(places))):
        out = places[part::PARTS]
        kept = np.setdiff1d(places, out)
        limits = _learned([scores[place] for place in kept], accepted[kept])
        least = {limit.gate: limit.least for limit in limits}
        passed[out] = [passes(scores[place], least) for place in out]
    return float(passed[accepted].mean()), float((~passed[~accepted]).mean())
