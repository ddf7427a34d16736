"""The quality of a run's synthetic defects, by the features of a network that the report names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.files import read_json, sha256_file, write_json
from flawsmith.core.records import Catalog
from flawsmith.core.store import Manifest
from flawsmith.data.loading import load_catalog
from flawsmith.recipes.making import family_settings, workshop
from flawsmith.recipes.route import Route, chosen_synthetic, training_part

OVER_TRAINING = "over_training.json"
CHECKPOINTS = "checkpoints"
"""Where a fitted model keeps states of its training, a folder per state, named by its steps."""


def quality_stage(route: Route) -> Manifest:
    """Compare the chosen synthetic defects with the real ones of the training part."""
    from flawsmith.proof.quality.assess import Material, assess

    settings, composite = route.settings.quality, route.settings.kit.composite
    files = {"weights": settings.weights, "lpips_weights": settings.lpips_weights}
    gap_px = math.ceil(composite.core_px + composite.feather_px)
    states = kept_states(route)

    def work(out: Path) -> Mapping[str, Any]:
        made, births = chosen_synthetic(route), route.folder("generate") / "births"
        rows = {entry.id: read_json(births / f"{entry.id}.json") for entry in made}
        kept = {name: row for name, row in rows.items() if row.get("background", "kept") == "kept"}
        background_of = {name: row["background_id"] for name, row in kept.items()}
        val = load_catalog(route.folder("split") / "val.json")
        material = Material(training_part(route), val, made, background_of, gap_px)
        found = assess(material, settings, out, progress=route.progress)
        if states:
            write_json(out / OVER_TRAINING, _over_training(route, states, material.train, out, gap_px))
        return {"images": found["background"]["images"], "unchanged": found["background"]["unchanged_outside"]}

    inputs = {name: route.digest(name) for name in ("split", "generate", "filter")}
    inputs |= {"fit": route.digest("fit"), "kit": route.digest("kit")} if states else {}
    inputs |= {name: sha256_file(path) for name, path in files.items() if path is not None}
    chosen = settings.model_dump(mode="json", exclude={*files}) | {"gap_px": gap_px}
    return route.do("quality", chosen, inputs, work)


def kept_states(route: Route) -> dict[int, Path]:
    """Return the models of a run by the steps they were trained for, the final one last; empty where none were kept."""
    model = route.folder("fit") / "model"
    found = {int(folder.name): folder for folder in sorted((model / CHECKPOINTS).glob("*")) if folder.is_dir()}
    loop = getattr(family_settings(route.settings, route.settings.generator), "loop", None)
    return found | {loop.steps: model} if found and loop is not None else {}


def _over_training(route: Route, states: Mapping[int, Path], train: Catalog, out: Path, gap_px: int) -> dict[str, Any]:
    """Return a row of numbers per state of training: weights as they were at that step, averaged ones at the end."""
    from flawsmith.features.opening import open_features
    from flawsmith.proof.quality.assess import NET, plain
    from flawsmith.proof.quality.over_training import painted_by, real_features, state_numbers

    settings = route.settings.quality
    extractor = open_features(train, settings, out / NET, progress=route.progress)
    real = real_features(train, settings, extractor) if extractor is not None else None
    rows = []
    for number, (step, model) in enumerate(states.items()):
        route.progress("quality over training", number, len(states), f"step {step}")
        painted = painted_by(workshop(route, route.settings.generator, model, judged=False))
        rows.append({"step": step, **state_numbers(painted, real, extractor, settings, gap_px)})
    found: dict[str, Any] = plain({"net": extractor and extractor.identity, "gap_px": gap_px, "rows": rows})
    return found


def shown_quality(route: Route) -> dict[str, Any] | None:
    """Return what the report shows of the quality, the map's points under "map", its course over
    training under "over_training"; None where the stage was not run.
    """
    folder = route.folder("quality")
    if not (folder / "quality.json").is_file():
        return None
    found: dict[str, Any] = read_json(folder / "quality.json")
    parts = {"map": folder / "map.json", "over_training": folder / OVER_TRAINING}
    return found | {name: read_json(path) if path.is_file() else None for name, path in parts.items()}
