"""The stages of a run. Each reads finished folders and writes its own; `core.store` skips, resumes and redoes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.files import read_json, write_json, write_text
from flawsmith.core.store import Manifest
from flawsmith.data.loading import load_catalog
from flawsmith.data.lookalikes import join_groups
from flawsmith.data.splits import split, summary, write_splits
from flawsmith.recipes.check import check_stage
from flawsmith.recipes.choosing import filter_stage
from flawsmith.recipes.fitting import fit_stage, generate_stage
from flawsmith.recipes.proving import prove_stage
from flawsmith.recipes.quality import quality_stage
from flawsmith.recipes.route import Route, chosen_synthetic, training_part


def split_stage(route: Route) -> Manifest:
    """Split into training, validation and the sealed test part; groups never straddle."""

    def work(out: Path) -> Mapping[str, Any]:
        catalog = load_catalog(route.folder("check") / "catalog.json")
        catalog = join_groups(catalog) if route.settings.split.join_lookalikes else catalog
        splits = split(catalog, route.settings.split)
        write_splits(splits, out)
        write_json(out / "summary.json", summary(splits))
        return {name: len(part) for name, part in splits.parts.items()}

    return route.do("split", route.settings.split.model_dump(mode="json"), {"check": route.digest("check")}, work)


def export_stage(route: Route) -> Manifest:
    """Write the training part and the synthetic images, kept apart and marked, in each format wished."""
    from flawsmith.data.writers import WRITERS, ExportItem

    settings = route.settings.export
    writers = {name: WRITERS[name] for name in settings.formats}

    def work(out: Path) -> Mapping[str, Any]:
        births = route.folder("generate") / "births"
        splits = [("train", training_part(route)), ("val", load_catalog(route.folder("split") / "val.json"))]
        items = [ExportItem(entry, False, name, None) for name, part in splits for entry in part]
        made = chosen_synthetic(route)
        items += [ExportItem(entry, True, "train", read_json(births / f"{entry.id}.json")) for entry in made]
        for name, write in writers.items():
            if not (out / name).is_dir():
                write(items, out / f".{name}")
                (out / f".{name}").rename(out / name)
        return {"real": len(items) - len(made), "synthetic": len(made), "formats": list(writers)}

    inputs = {"split": route.digest("split"), "generate": route.digest("generate"), "filter": route.digest("filter")}
    return route.do("export", settings.model_dump(mode="json"), inputs, work)


def report_stage(route: Route) -> Manifest:
    """Write the report, one HTML file, and the model card and the data card."""
    from flawsmith.proof.report.cards import data_card, model_card
    from flawsmith.proof.report.render import render
    from flawsmith.recipes.cards import gather_cards
    from flawsmith.recipes.report import gather

    def work(out: Path) -> Mapping[str, Any]:
        write_text(out / "report.html", render(gather(route)))
        cards = gather_cards(route)
        write_text(out / "model_card.md", model_card(cards))
        write_text(out / "data_card.md", data_card(cards))
        return {}

    names = [name for name in STAGES if name != "report"]
    inputs = {name: route.digest(name) for name in names if (route.folder(name) / "manifest.json").is_file()}
    return route.do("report", {"data": route.data}, inputs, work)


STAGES: dict[str, Callable[[Route], Manifest]] = {
    "check": check_stage,
    "split": split_stage,
    "fit": fit_stage,
    "generate": generate_stage,
    "filter": filter_stage,
    "export": export_stage,
    "quality": quality_stage,
    "prove": prove_stage,
    "report": report_stage,
}
