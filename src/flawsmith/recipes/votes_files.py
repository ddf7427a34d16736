"""The tables of a count, as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.checks import printable
from flawsmith.data.votes.consensus_masks import MaskVote
from flawsmith.data.votes.counting import Tally, Vote
from flawsmith.data.votes.disputes import Ambiguous
from flawsmith.data.votes.suspects import Suspect
from flawsmith.recipes.votes_numbers import finite

VOTES, LABELS = "votes.csv", "labels.csv"
AMBIGUOUS, SPOT_CHECK, SUSPECTS = "ambiguous.csv", "spot_check.csv", "suspects.csv"


def write_votes(
    out: Path, said: Tally, voted: Sequence[Vote], agreed: Mapping[str, float], masks: Mapping[str, MaskVote]
) -> None:
    """Write what was said and voted of every image."""
    columns = ["image", "label", "status", "agreement", *(f"votes_{each}" for each in said.labels)]
    columns += [*(f"by_{each}" for each in said.inspectors), "mask", "mask_overlap", "undecided_px"]
    names = [*said.labels, ""]
    rows: list[list[Any]] = []
    for each, codes in zip(voted, said.codes.tolist(), strict=True):
        mask = masks.get(each.image)
        drawn = [mask.file or "", share(mask.iou), mask.tied_px] if mask else ["", "", ""]
        counted = [each.votes.get(label, 0) for label in said.labels]
        given = [names[code] for code in codes]
        rows.append([each.image, each.label or "", each.status, share(agreed[each.image]), *counted, *given, *drawn])
    _write(out / VOTES, columns, rows)


def write_labels(out: Path, voted: Sequence[Vote], masks: Mapping[str, MaskVote]) -> None:
    """Write the voted labels alone, in the columns of the layout `csv`; beside the images they are a data set."""
    kept = [(each.image, each.label, masks.get(each.image)) for each in voted if each.label is not None]
    rows = ([image, label, mask.file or "" if mask and label != GOOD else ""] for image, label, mask in kept)
    _write(out / LABELS, ["image", "label", "mask"], rows)


def write_ambiguous(out: Path, unclear: Sequence[Ambiguous]) -> None:
    """Write the images on which inspectors disagree, and in what."""
    rows = ([each.image, share(each.agreement), "; ".join(each.reasons)] for each in unclear)
    _write(out / AMBIGUOUS, ["image", "agreement", "why"], rows)


def write_spot_check(out: Path, checks: Sequence[Vote], agreed: Mapping[str, float]) -> None:
    """Write a sheet to be filled in by whoever looks at the drawn images again."""
    rows = ([each.image, each.label, share(agreed[each.image]), "", "", ""] for each in checks)
    _write(out / SPOT_CHECK, ["image", "label", "agreement", "right", "checked_by", "remark"], rows)


def write_suspects(out: Path, catalog: Catalog, found: Sequence[Suspect]) -> None:
    """Write the labels that the pictures contradict, the worst first."""
    rows = ((catalog.entries[each.place], each) for each in found)
    lines = ([entry.id, entry.label, each.proposed, f"{each.score:.4f}"] for entry, each in rows)
    _write(out / SUSPECTS, ["image", "label", "looks_like", "score"], lines)


def read_labels(out: Path) -> dict[str, str]:
    """Return the voted labels that `write_labels` wrote, by image."""
    rows = csv.DictReader(io.StringIO((out / LABELS).read_text(encoding="utf-8"), newline=""))
    return {row["image"]: row["label"] for row in rows}


def share(value: float) -> str:
    """Return a share for a table: four digits, nothing for NaN."""
    return "" if finite(value) is None else f"{value:.4f}"


def valid_text(data: Any) -> Any:
    """Return JSON data whose texts, names of files among them, are all valid text."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, Mapping):
        return {valid_text(key): valid_text(value) for key, value in data.items()}
    return [valid_text(each) for each in data] if isinstance(data, list | tuple) else data


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, printable(text.getvalue()))
