"""The quality of a run's synthetic defects, by the features of a network that the report names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.files import read_json, sha256_file
from flawsmith.core.store import Manifest
from flawsmith.data.loading import load_catalog
from flawsmith.recipes.route import Route, chosen_synthetic, training_part


def quality_stage(route: Route) -> Manifest:
    """Compare the chosen synthetic defects with the real ones of the training part."""
    from flawsmith.proof.quality.assess import Material, assess

    settings, composite = route.settings.quality, route.settings.kit.composite
    files = {"weights": settings.weights, "lpips_weights": settings.lpips_weights}
    gap_px = math.ceil(composite.core_px + composite.feather_px)

    def work(out: Path) -> Mapping[str, Any]:
        made, births = chosen_synthetic(route), route.folder("generate") / "births"
        rows = {entry.id: read_json(births / f"{entry.id}.json") for entry in made}
        kept = {name: row for name, row in rows.items() if row.get("background", "kept") == "kept"}
        background_of = {name: row["background_id"] for name, row in kept.items()}
        val = load_catalog(route.folder("split") / "val.json")
        material = Material(training_part(route), val, made, background_of, gap_px)
        found = assess(material, settings, out, progress=route.progress)
        return {"images": found["background"]["images"], "unchanged": found["background"]["unchanged_outside"]}

    inputs = {name: route.digest(name) for name in ("split", "generate", "filter")}
    inputs |= {name: sha256_file(path) for name, path in files.items() if path is not None}
    chosen = settings.model_dump(mode="json", exclude={*files}) | {"gap_px": gap_px}
    return route.do("quality", chosen, inputs, work)


def shown_quality(route: Route) -> dict[str, Any] | None:
    """Return what the report shows of the quality, the map's points under "map"; None where the stage was not run."""
    folder = route.folder("quality")
    if not (folder / "quality.json").is_file():
        return None
    found: dict[str, Any] = read_json(folder / "quality.json")
    return found | {"map": read_json(folder / "map.json") if (folder / "map.json").is_file() else None}
