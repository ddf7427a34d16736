"""Gather what the model card and the data card are written from: the manifests of a run's finished stages."""

from __future__ import annotations

from collections import Counter

from flawsmith.core.files import read_json
from flawsmith.core.store import MANIFEST, read_manifest
from flawsmith.proof.report.cards import CardData
from flawsmith.recipes.report import load_name
from flawsmith.recipes.route import Route, chosen_synthetic
from flawsmith.synthesis.kit import Kit

STAGES = ("check", "split", "kit", "fit", "generate", "filter", "export", "prove")


def gather_cards(route: Route) -> CardData:
    """Read a run that is finished up to the proof."""
    names = dict.fromkeys((*STAGES, *read_manifest(route.folder("prove")).inputs))
    done = [name for name in names if (route.folder(name) / MANIFEST).is_file()]
    return CardData(
        name=load_name(route),
        stages={name: read_manifest(route.folder(name)) for name in done},
        proof=read_json(route.folder("prove") / "results.json"),
        split_rows=read_json(route.folder("split") / "summary.json"),
        problems=Counter(each["severity"] for each in read_json(route.folder("check") / "problems.json")),
        kept=Counter(entry.label for entry in chosen_synthetic(route)),
        thresholds=Kit.load(route.folder("kit")).gates.thresholds,
    )
