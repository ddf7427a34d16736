"""Gather what the report shows from a run's finished stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from flawsmith.core.files import read_json
from flawsmith.core.records import GOOD, Catalog, Defect, Entry, Image, read_jsonl
from flawsmith.core.settings import to_yaml
from flawsmith.core.store import read_manifest
from flawsmith.data.image_io import read_image
from flawsmith.data.loading import load_sample
from flawsmith.filtering.copies import similarities
from flawsmith.proof.report.data import ClassPage, GateLine, Neighbour, ReportData, Tile
from flawsmith.proof.report.pictures import plain_tile, tile
from flawsmith.recipes.choosing import scores_of
from flawsmith.recipes.quality import shown_quality
from flawsmith.recipes.route import DEMO, Route, chosen_synthetic, training_part
from flawsmith.synthesis.kit import Kit

PER_ROW, REJECTED, NEIGHBOURS = 16, 8, 4
"""Tiles shown per class: of real and synthetic defects, of rejected ones, and pairs of neighbours."""

Shown = tuple[Image, Defect]
Item = TypeVar("Item")


def gather(route: Route) -> ReportData:
    """Read a run that is finished up to the proof."""
    train, kit = training_part(route), Kit.load(route.folder("kit"))
    made, rows = chosen_synthetic(route), _attempts(route)
    labels = sorted({row["label"] for row in rows})
    return ReportData(
        name=load_name(route),
        generator=route.settings.generator,
        classes=[_class_page(route, label, train, made, rows, kit) for label in labels],
        proof=read_json(route.folder("prove") / "results.json"),
        split_rows=read_json(route.folder("split") / "summary.json"),
        problems=read_json(route.folder("check") / "problems.json"),
        command=f"flawsmith run {route.data} --out {route.out} --config settings.yaml",
        settings_yaml=to_yaml(route.settings),
        facts=_facts(route),
        quality=shown_quality(route),
    )


def load_name(route: Route) -> str:
    """Return the data set's name."""
    return DEMO if route.data == DEMO else str(read_json(route.folder("check") / "catalog.json")["name"])


def _attempts(route: Route) -> list[dict[str, Any]]:
    return read_jsonl(route.folder("generate") / "gates.jsonl")


def _class_page(
    route: Route, label: str, train: Catalog, made: Catalog, rows: Sequence[Mapping[str, Any]], kit: Kit
) -> ClassPage:
    mine = [row for row in rows if row["label"] == label]
    real = _defects(train.labelled(label), label)
    chosen = list(made.labelled(label))
    return ClassPage(
        label=label,
        asked=len({row["id"] for row in mine}),
        accepted=len(chosen),
        attempts=len(mine),
        real=[tile(image, defect.mask) for image, defect in _spread(real, PER_ROW)],
        synthetic=[tile(image, defect.mask) for image, defect in _defects(_spread(chosen, PER_ROW), label)[:PER_ROW]],
        rejected=_rejected(route, mine),
        reasons=dict(Counter(reason.split(":")[0] for row in mine for reason in row["reasons"]).most_common()),
        neighbours=_neighbours(route, label, chosen, real, kit),
        left_out=kit.bank.left_out.get(label, {}),
        gates=_gates(mine, kit.gates.thresholds.get(label, {})),
    )


def _gates(rows: Sequence[Mapping[str, Any]], limits: Mapping[str, float]) -> list[GateLine]:
    rejected = Counter(reason.split(":")[0] for row in rows for reason in row["reasons"])
    scores = [scores_of(row) for row in rows]
    found = []
    for name in limits:
        known = [each[name] for each in scores if name in each]
        found.append(GateLine(name, limits[name], rejected[name], float(np.median(known)) if known else None))
    return found


def _defects(entries: Sequence[Entry] | Catalog, label: str) -> list[Shown]:
    """Return every defect of a class with the image it is in, in the order of the entries."""
    samples = [load_sample(entry) for entry in entries]
    return [(sample.image, defect) for sample in samples for defect in sample.defects if defect.label == label]


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most `count` items, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, count)]


def _rejected(route: Route, rows: Sequence[Mapping[str, Any]]) -> list[Tile]:
    tiles = []
    for row in _spread([row for row in rows if not row["accepted"]], REJECTED):
        path = route.folder("generate") / "rejected" / f"{row['id']}-{row['attempt']:02d}.png"
        if path.is_file():
            tiles.append(plain_tile(read_image(path), "; ".join(row["reasons"])))
    return tiles


def _neighbours(route: Route, label: str, chosen: Sequence[Entry], real: Sequence[Shown], kit: Kit) -> list[Neighbour]:
    """Return the accepted images that resemble a training defect most, each beside that defect."""
    births = route.folder("generate") / "births"
    scores = {entry.id: read_json(births / f"{entry.id}.json")["scores"]["not_a_copy"] for entry in chosen}
    closest = sorted(chosen, key=lambda entry: (scores[entry.id], entry.id))[:NEIGHBOURS]
    found = []
    for entry in closest:
        for image, defect in _defects([entry], label)[:1]:
            alike = similarities(image, defect.mask, kit.gates.templates[label])
            nearest_image, nearest = real[int(alike.argmax())]
            pair = tile(image, defect.mask), tile(nearest_image, nearest.mask)
            found.append(Neighbour(*pair, float(alike.max())))
    return found


def _facts(route: Route) -> dict[str, str]:
    """Return seeds, versions and hashes by name."""
    fit = read_manifest(route.folder("fit"))
    hashes = {
        f"{name} (sha256)": route.digest(name) for name in ("check", "split", "fit", "generate", "filter", "prove")
    }
    train = training_part(route)
    counts = f"{len(train.labelled(GOOD))} good, {len(train) - len(train.labelled(GOOD))} with defects"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(fit.versions.items()))
    return {"seed": str(route.settings.seed), "training images": counts, "versions": versions, **hashes}
