"""Which generated images a run uses: by the gates' scores, and by verdicts given by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.records import read_jsonl
from flawsmith.core.store import Manifest
from flawsmith.filtering.by_hand import Learned, learn_limits, read_verdicts
from flawsmith.recipes.route import Route

LEARNED = "learned.json"


def filter_stage(route: Route) -> Manifest:
    """Choose the samples that are used: by the limits set here or learned from verdicts, and by the verdicts."""
    settings = route.settings.filter

    def work(out: Path) -> Mapping[str, Any]:
        rows = read_jsonl(route.folder("generate") / "gates.jsonl")
        _check_scored(settings.least, rows)
        least, verdicts = settings.least, dict[str, bool]()
        if settings.by_hand is not None:
            named = _by_name(rows)
            verdicts = read_verdicts(settings.by_hand, named)
            learned = learn_limits([scores_of(named[name]) for name in verdicts], list(verdicts.values()))
            least = learned.least | least
            write_json(out / LEARNED, _plain(learned) | {"least": least})
        kept, dropped = list[str](), list[dict[str, Any]]()
        for row in (row for row in rows if row["accepted"]):
            reasons = _against(row, least, verdicts)
            kept.append(row["id"]) if not reasons else dropped.append({"id": row["id"], "reasons": reasons})
        write_json(out / "accepted.json", kept)
        write_json(out / "rejected.json", dropped)
        return {"accepted": len(kept), "rejected": len(dropped)} | ({"by_hand": len(verdicts)} if verdicts else {})

    inputs = {"generate": route.digest("generate")}
    inputs |= {"by_hand": sha256_file(settings.by_hand)} if settings.by_hand is not None else {}
    return route.do("filter", settings.model_dump(mode="json", exclude={"by_hand"}), inputs, work)


def scores_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores in a row of gates.jsonl, the image's own and those that depend on the set; none of a gate that
    does not apply.
    """
    scores = {**row["birth"]["scores"], **row.get("scores", {})}
    return {gate: score for gate, score in scores.items() if score is not None}


def _check_scored(least: Mapping[str, float], rows: list[dict[str, Any]]) -> None:
    missing = sorted(set(least) - {gate for row in rows for gate in scores_of(row)})
    if rows and missing:
        raise SettingsError(
            f"filter.least asks for {', '.join(missing)}, which no image has a score of: switch the gate on while "
            f"generating (kit.gates.{missing[0]}), or leave it out where it does not apply (mask_obeyed, where the "
            "generator was told no mask)"
        )


def _against(row: Mapping[str, Any], least: Mapping[str, float], verdicts: Mapping[str, bool]) -> list[str]:
    """Return why an image is not used; a verdict by hand counts for more than any score."""
    if row["id"] in verdicts:
        return [] if verdicts[row["id"]] else ["by hand"]
    scores = scores_of(row)
    return [f"{gate}: {scores[gate]:.3g}" for gate, value in least.items() if gate in scores and scores[gate] < value]


def _by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return rows by the names verdicts may use: accepted images by their id, rejected attempts as their picture."""
    return {row["id"] if row["accepted"] else f"{row['id']}-{row['attempt']:02d}": row for row in rows}


def _plain(learned: Learned) -> dict[str, Any]:
    return asdict(learned) | {"limits": [asdict(limit) for limit in learned.limits]}
