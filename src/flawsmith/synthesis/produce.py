"""Produce a synthetic data set: orders in batches, rejected ones replaced, everything written as it is done.

Each attempt is decided by its own seed and written whole, so a killed production goes on where it stopped and ends
with the same files.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from flawsmith.core.errors import QuotaError
from flawsmith.core.files import read_json, write_json, write_text
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Birth, Catalog, Entry, MaskFile
from flawsmith.core.settings import Settings
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import load_sample
from flawsmith.filtering.duplicates import Accepted
from flawsmith.synthesis.make import Made, Workshop
from flawsmith.synthesis.plan import Order, PlanSettings, order, orders

BIRTH_KEY = "flawsmith:birth"
"""The name under which a PNG carries its birth record."""


class ProduceSettings(Settings):
    """How production goes on."""

    plan: PlanSettings = PlanSettings()
    batch: int = Field(24, ge=1)
    """Images made together; changes the speed, never a picture."""
    most_attempts: int = Field(8, ge=1)
    """Attempts at one slot before it is given up."""
    least_share: float = Field(0.5, ge=0, le=1)
    """Share of the quota below which production is an error rather than a warning."""


def produce(
    workshop: Workshop, quota: Mapping[str, int], settings: ProduceSettings, out: Path, *, progress: Progress = silent
) -> dict[str, Any]:
    """Fill the quota and write images, masks, births, the log and `catalog.json` into `out`. Returns counts.

    Raises QuotaError when a class ends under `least_share` of its quota, naming the gates that rejected most.
    """
    seed, log = settings.plan.seed, out / "log"
    pending = orders(quota, seed)
    total, done, accepted = len(pending), 0, _Accepting(workshop, out)
    while pending:
        batch, pending = pending[: settings.batch], pending[settings.batch :]
        made = workshop.make([each for each in batch if not _record_path(log, each).is_file()])
        for each in batch:
            path = _record_path(log, each)
            record = accepted.noted(read_json(path)) if path.is_file() else accepted.write(next(made))
            if record["accepted"] or each.attempt + 1 >= settings.most_attempts:
                done += 1
            else:
                pending.append(order(each.label, each.slot, each.attempt + 1, seed))
        progress("generate", done, total, f"{len(pending)} to go")
    return _conclude(out, quota, settings)


def _record_path(log: Path, each: Order) -> Path:
    return log / each.label / f"{each.slot:05d}-{each.attempt:02d}.json"


class _Accepting:
    """Writes attempts in their order, none that nearly repeats one accepted before it.

    Whether an image repeats another depends on the set, not on the image: it stands in the log, not in the birth
    record, by which an image can be made again alone.
    """

    def __init__(self, workshop: Workshop, out: Path) -> None:
        self.out, self.accepted = out, Accepted()
        self.limits = workshop.kit.gates.thresholds if workshop.judged else {}

    def write(self, made: Made) -> dict[str, Any]:
        """Write one attempt and return its row."""
        limits = self.limits.get(made.order.label, {})
        least = limits.get("not_a_duplicate", 0.0)
        if not made.accepted or not least:
            return _write(made, self.out, limits)
        score = self.accepted.originality(made.image, made.defects)
        if score < least:
            reason = f"not_a_duplicate: {score:.3g} < {least:.3g}"
            made = replace(made, accepted=False, reasons=(*made.reasons, reason))
        else:
            self.accepted.add(made.image, made.defects)
        return _write(made, self.out, limits, {"not_a_duplicate": round(score, 6)})

    def noted(self, row: dict[str, Any]) -> dict[str, Any]:
        """Take up an attempt that an interrupted production has written."""
        if row["accepted"] and self.limits.get(row["label"], {}).get("not_a_duplicate", 0.0):
            sample = load_sample(_entry(self.out, row))
            self.accepted.add(sample.image, sample.defects)
        return row


def _write(
    made: Made, out: Path, limits: Mapping[str, float], scores: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Write one attempt and return its log row, which comes last, so that an attempt with a row is whole.

    `limits` are the least scores asked for, `scores` those that depend on the set.
    """
    row: dict[str, Any] = {
        "id": made.order.id,
        "attempt": made.order.attempt,
        "label": made.order.label,
        "accepted": made.accepted,
        "reasons": list(made.reasons),
        "group": made.background.group,
        "birth": made.birth.to_json(),
        **({"limits": dict(limits)} if limits else {}),
        **({"scores": dict(scores)} if scores else {}),
    }
    if made.accepted:
        row["masks"] = _write_masks(made, out)
        text = json.dumps(made.birth.to_json(), sort_keys=True)
        write_image(out / "images" / f"{made.order.id}.png", made.image, {BIRTH_KEY: text})
        write_json(out / "births" / f"{made.order.id}.json", made.birth.to_json())
    elif made.trial is not None:
        both = np.concatenate([made.trial.background, made.trial.painted], axis=1)
        write_image(out / "rejected" / f"{made.order.id}-{made.order.attempt:02d}.png", both)
    write_json(_record_path(out / "log", made.order), row)
    return row


def _write_masks(made: Made, out: Path) -> list[dict[str, Any]]:
    rows = []
    for number, defect in enumerate(made.defects):
        name = f"masks/{made.order.id}_{number}.png"
        write_mask(out / name, defect.mask)
        rows.append({"path": name, "label": defect.label, "approximate": defect.approximate})
    return rows


def _conclude(out: Path, quota: Mapping[str, int], settings: ProduceSettings) -> dict[str, Any]:
    rows = [read_json(path) for path in sorted((out / "log").rglob("*.json"))]
    accepted = Counter(row["label"] for row in rows if row["accepted"])
    reasons = Counter(reason.split(":")[0] for row in rows for reason in row["reasons"])
    for label, wanted in quota.items():
        if accepted[label] < settings.least_share * wanted:
            often = ", ".join(f"{name} {count}" for name, count in reasons.most_common(3)) or "none"
            raise QuotaError(
                f"{label}: {accepted[label]} of {wanted} images accepted after {settings.most_attempts} attempts each; "
                f"rejected most often by: {often}. Train the generator longer (for the local one local.loop.steps), "
                "keep less of its examples where they are copied (local.sampling.example_noise), or loosen these gates"
            )
    write_text(out / "gates.jsonl", "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    shutil.rmtree(out / "log")
    catalog = synthetic_catalog(out, rows)
    write_json(out / "catalog.json", _portable(catalog))
    return {"accepted": dict(accepted), "rejected": dict(reasons), "attempts": len(rows), "quota": dict(quota)}


def synthetic_catalog(out: Path, rows: Sequence[Mapping[str, Any]]) -> Catalog:
    """Return the accepted rows of a log as a catalog; an image shares its background's group."""
    entries = [_entry(out, row) for row in rows if row["accepted"]]
    return Catalog("synthetic", out, "flawsmith", tuple(entries))


def _entry(out: Path, row: Mapping[str, Any]) -> Entry:
    masks = tuple(MaskFile(out / mask["path"], mask["label"], approximate=mask["approximate"]) for mask in row["masks"])
    birth = Birth.from_json(row["birth"])
    surface = birth.background_id if birth.background == "kept" else None
    return Entry(row["id"], out / "images" / f"{row['id']}.png", row["label"], row["group"], masks, "train", surface)


def _portable(catalog: Catalog) -> dict[str, Any]:
    """Leave the root out: the folder is renamed when finished, and may be moved."""
    return {**catalog.to_json(), "root": "."}


def open_synthetic(folder: Path) -> Catalog:
    """Read the catalog that `produce` wrote."""
    return Catalog.from_json({**read_json(folder / "catalog.json"), "root": str(folder)})
