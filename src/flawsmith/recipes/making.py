"""A generator at work in a run: its settings, its fit, and the images made with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_file, sha256_json, sha256_tree
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.settings import path_fields
from flawsmith.recipes.route import Route, training_part
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.kit import KitSettings


def family_settings(settings: RunSettings, name: str) -> Any:
    """Return the settings of a generator in this run: its section, or its defaults where it has none."""
    from flawsmith.generators.catalogue import GENERATORS

    family = GENERATORS[name]
    return getattr(settings, name) if name in RunSettings.model_fields else family.settings()


def fit_generator(name: str, train: Catalog, folder: Path, route: Route) -> None:
    """Fit a generator into `folder`."""
    from flawsmith.generators.catalogue import GENERATORS

    folder.mkdir(parents=True, exist_ok=True)
    settings = family_settings(route.settings, name)
    GENERATORS[name].fit(train, settings, folder, seed=route.settings.seed, progress=route.progress)


def _sampling(settings: RunSettings, name: str) -> Any:
    """Return how a generator is drawn from, None where it has no choice. Decides what is made, not what is learnt."""
    return getattr(family_settings(settings, name), "sampling", None)


def workshop(route: Route, name: str, model: Path, *, judged: bool = True) -> Any:
    """Return the workshop that makes images with a fitted generator."""
    from flawsmith.generators.catalogue import GENERATORS
    from flawsmith.synthesis.kit import Kit
    from flawsmith.synthesis.make import Workshop

    backgrounds = training_part(route).labelled(GOOD)
    if not len(backgrounds):
        raise DataError("no defect-free images in the training part: defects need backgrounds; add good images")
    settings = route.settings
    kit = Kit.load(route.folder("kit"))
    opened = GENERATORS[name].load(model, _sampling(settings, name))
    return Workshop(opened, name, kit, settings.kit, settings.generate.plan, backgrounds, judged)


def make_images(route: Route, name: str, model: Path, out: Path, *, judged: bool = True) -> Mapping[str, Any]:
    """Make the images the plan asks for with a fitted generator, judged by the gates or not; return their counts."""
    from flawsmith.synthesis.plan import quotas
    from flawsmith.synthesis.produce import produce

    settings = route.settings.generate
    shop = workshop(route, name, model, judged=judged)
    return produce(shop, quotas(training_part(route), settings.plan), settings, out, progress=route.progress)


def _choices(sampling: Any) -> dict[str, Any]:
    """Return how is drawn, but not where files lie."""
    chosen: dict[str, Any] = sampling.model_dump(mode="json", exclude=path_fields(type(sampling)))
    return chosen


def making_settings(settings: RunSettings, name: str) -> dict[str, Any]:
    """Return every setting that decides which images a generator makes."""
    sampling = _sampling(settings, name)
    return {
        "generate": settings.generate.model_dump(mode="json", exclude={"batch"}),
        "kit": kit_choices(settings.kit),
        **({name: {"sampling": _choices(sampling)}} if sampling is not None else {}),
    }


def kit_choices(settings: KitSettings) -> dict[str, Any]:
    """Return the settings that decide what a kit holds: how networks are taught does only where a gate asks them."""
    return settings.model_dump(mode="json", exclude=set() if settings.gates.asks_a_panel else {"panel"})


def own_files(settings: RunSettings) -> dict[str, str]:
    """Return the hashes of what the user gave: the region of interest, masks of their own."""
    region, masks = settings.kit.region, settings.kit.own_masks
    found = {"region": sha256_file(region)} if region is not None else {}
    return found if masks is None else {**found, "own_masks": sha256_json(sha256_tree(masks))}
