"""From the training part to synthetic images: the kit measured, the generator fitted, its images made and judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.files import sha256_path
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.settings import given_paths, path_fields
from flawsmith.core.store import Manifest
from flawsmith.data.loading import load_sample
from flawsmith.recipes.making import (
    family_settings,
    fit_generator,
    kit_choices,
    make_images,
    making_settings,
    own_files,
)
from flawsmith.recipes.route import Route, training_part


def kit_stage(route: Route) -> Manifest:
    """Measure masks, guides and gates on the training part; apart from `fit`, so that a new gate trains nothing."""
    from flawsmith.filtering.gates import PANEL
    from flawsmith.filtering.panel import Panel, teach_panel
    from flawsmith.synthesis.kit import Kit

    settings = route.settings.kit

    def panel(train: Catalog, out: Path) -> Panel | None:
        if not settings.gates.asks_a_panel:
            return None
        return teach_panel(train, settings.panel, out / "gates" / PANEL, progress=route.progress)

    def work(out: Path) -> Mapping[str, Any]:
        train = training_part(route)
        samples = [load_sample(entry) for entry in train if entry.label != GOOD]
        kit = Kit.measure(samples, settings, {entry.id: entry.group for entry in train}, panel(train, out))
        kit.save(out)
        return {"defect_images": len(samples), "shapes_left_out": kit.bank.left_out}

    inputs = {"split": route.digest("split"), **own_files(route.settings)}
    return route.do("kit", kit_choices(settings), inputs, work)


def fit_stage(route: Route) -> Manifest:
    """Learn the generator from the training part."""
    settings = route.settings
    family = family_settings(settings, settings.generator)
    kit_stage(route)

    def work(out: Path) -> Mapping[str, Any]:
        train = training_part(route)
        fit_generator(settings.generator, train, out / "model", route)
        return {"defect_images": sum(entry.label != GOOD for entry in train), "good_images": len(train.labelled(GOOD))}

    chosen = {
        "generator": settings.generator,
        "seed": settings.seed,
        "settings": family.model_dump(
            mode="json", exclude={**path_fields(type(family)), **_unset(family, "checkpoints"), "sampling": True}
        ),
    }
    inputs = {"split": route.digest("split")}
    for name, path in given_paths(family).items():  # what the file holds counts, not where it lies
        if not name.startswith("sampling."):
            inputs[name] = sha256_path(path)
    return route.do("fit", chosen, inputs, work)


def _unset(settings: Any, name: str) -> dict[str, bool]:
    """Return the name of a setting where it is off: runs from before it existed are then the same as runs without."""
    return {} if getattr(settings, name, None) else {name: True}


def generate_stage(route: Route) -> Manifest:
    """Make the synthetic images: plan, paint, composite, judge; rejected ones are replaced."""
    settings = route.settings

    def work(out: Path) -> Mapping[str, Any]:
        return make_images(route, settings.generator, route.folder("fit") / "model", out)

    inputs = {"fit": route.digest("fit"), "kit": route.digest("kit"), **own_files(settings)}
    return route.do("generate", making_settings(settings, settings.generator), inputs, work)
