"""The stages of a run. Each reads finished folders and writes its own; `core.store` skips, resumes and redoes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_file, sha256_json, sha256_tree, write_json, write_text
from flawsmith.core.protocols import Generator
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.store import Manifest
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.data.splits import split, summary, write_splits
from flawsmith.recipes.check import check_stage
from flawsmith.recipes.route import Route, chosen_synthetic, training_part
from flawsmith.recipes.settings import RunSettings


def split_stage(route: Route) -> Manifest:
    """Split into training, validation and the sealed test part; groups never straddle."""

    def work(out: Path) -> Mapping[str, Any]:
        splits = split(load_catalog(route.folder("check") / "catalog.json"), route.settings.split)
        write_splits(splits, out)
        write_json(out / "summary.json", summary(splits))
        return {"train": len(splits.train), "val": len(splits.val), "test": len(splits.test)}

    return route.do("split", route.settings.split.model_dump(mode="json"), {"check": route.digest("check")}, work)


def kit_stage(route: Route) -> Manifest:
    """Measure masks, guides and gates on the training part; apart from `fit`, so that a new gate trains nothing."""
    from flawsmith.synthesis.kit import Kit

    def work(out: Path) -> Mapping[str, Any]:
        train = training_part(route)
        samples = [load_sample(entry) for entry in train if entry.label != GOOD]
        kit = Kit.measure(samples, route.settings.kit, {entry.id: entry.group for entry in train})
        kit.save(out)
        return {"defect_images": len(samples)}

    inputs = {"split": route.digest("split"), **_own_files(route.settings)}
    return route.do("kit", route.settings.kit.model_dump(mode="json"), inputs, work)


def _own_files(settings: RunSettings) -> dict[str, str]:
    """Return the hashes of what the user gave: the region of interest, masks of their own."""
    region, masks = settings.kit.region, settings.kit.own_masks
    found = {"region": sha256_file(region)} if region is not None else {}
    return found if masks is None else {**found, "own_masks": sha256_json(sha256_tree(masks))}


def fit_stage(route: Route) -> Manifest:
    """Learn the generator from the training part."""
    settings = route.settings
    family = _family_settings(settings, settings.generator)
    start = getattr(family, "start", None)
    kit_stage(route)

    def work(out: Path) -> Mapping[str, Any]:
        train = training_part(route)
        _fit(settings.generator, train, out / "model", route)
        return {"defect_images": sum(entry.label != GOOD for entry in train), "good_images": len(train.labelled(GOOD))}

    chosen = {
        "generator": settings.generator,
        "seed": settings.seed,
        "settings": family.model_dump(mode="json", exclude={"start", "sampling"}),
    }
    inputs = {"split": route.digest("split")}
    if start is not None:  # what the file holds counts, not where it lies
        inputs["start"] = sha256_file(start)
    return route.do("fit", chosen, inputs, work)


def _family_settings(settings: RunSettings, name: str) -> Any:
    from flawsmith.generators.catalogue import GENERATORS

    family = GENERATORS[name]
    return getattr(settings, name) if name in RunSettings.model_fields else family.settings()


def _fit(name: str, train: Catalog, folder: Path, route: Route) -> None:
    from flawsmith.generators.catalogue import GENERATORS

    folder.mkdir(parents=True, exist_ok=True)
    settings = _family_settings(route.settings, name)
    GENERATORS[name].fit(train, settings, folder, seed=route.settings.seed, progress=route.progress)


def _sampling(settings: RunSettings, name: str) -> Any:
    """Return how a generator is drawn from, None where it has no choice. Decides what is made, not what is learnt."""
    return getattr(_family_settings(settings, name), "sampling", None)


def _open(name: str, folder: Path, sampling: Any) -> Generator:
    from flawsmith.generators.catalogue import GENERATORS

    return GENERATORS[name].load(folder, sampling)


def workshop(route: Route, name: str, model: Path, *, judged: bool = True) -> Any:
    """Return the workshop that makes images with a fitted generator."""
    from flawsmith.synthesis.kit import Kit
    from flawsmith.synthesis.make import Workshop

    backgrounds = training_part(route).labelled(GOOD)
    if not len(backgrounds):
        raise DataError("no defect-free images in the training part: defects need backgrounds; add good images")
    settings = route.settings
    kit = Kit.load(route.folder("kit"))
    opened = _open(name, model, _sampling(settings, name))
    return Workshop(opened, name, kit, settings.kit, settings.generate.plan, backgrounds, judged)


def generate_stage(route: Route) -> Manifest:
    """Make the synthetic images: plan, paint, composite, judge; rejected ones are replaced."""
    from flawsmith.synthesis.plan import quotas
    from flawsmith.synthesis.produce import produce

    settings = route.settings

    def work(out: Path) -> Mapping[str, Any]:
        quota = quotas(training_part(route), settings.generate.plan)
        made = workshop(route, settings.generator, route.folder("fit") / "model")
        return produce(made, quota, settings.generate, out, progress=route.progress)

    inputs = {"fit": route.digest("fit"), "kit": route.digest("kit"), **_own_files(settings)}
    return route.do("generate", _generate_settings(settings, settings.generator), inputs, work)


def _generate_settings(settings: RunSettings, name: str) -> dict[str, Any]:
    sampling = _sampling(settings, name)
    return {
        "generate": settings.generate.model_dump(mode="json", exclude={"batch"}),
        "kit": settings.kit.model_dump(mode="json"),
        **({name: {"sampling": sampling.model_dump(mode="json")}} if sampling is not None else {}),
    }


def control_stage(route: Route, name: str) -> Manifest:
    """Make the same number of images with a classical generator, unfiltered: the control of the proof."""
    from flawsmith.synthesis.plan import quotas
    from flawsmith.synthesis.produce import produce

    settings = route.settings

    def work(out: Path) -> Mapping[str, Any]:
        train = training_part(route)
        _fit(name, train, out / "model", route)
        made = workshop(route, name, out / "model", judged=False)
        plan = quotas(train, settings.generate.plan)
        return produce(made, plan, settings.generate, out, progress=route.progress)

    inputs = {"split": route.digest("split"), "kit": route.digest("kit"), **_own_files(settings)}
    family = _family_settings(settings, name).model_dump(mode="json")
    chosen = {"control": name, "settings": family, **_generate_settings(settings, name)}
    return route.do(f"control_{name}", chosen, inputs, work)


def filter_stage(route: Route) -> Manifest:
    """Choose the samples that are used: those accepted by the gates and by the thresholds set here."""
    from flawsmith.synthesis.produce import open_synthetic

    settings = route.settings.filter

    def work(out: Path) -> Mapping[str, Any]:
        catalog = open_synthetic(route.folder("generate"))
        kept, dropped = [], []
        for entry in catalog:
            scores = read_json(route.folder("generate") / "births" / f"{entry.id}.json")["scores"]
            low = [f"{gate}: {scores[gate]:.3g}" for gate, least in settings.least.items() if scores[gate] < least]
            kept.append(entry.id) if not low else dropped.append({"id": entry.id, "reasons": low})
        write_json(out / "accepted.json", kept)
        write_json(out / "rejected.json", dropped)
        return {"accepted": len(kept), "rejected": len(dropped)}

    return route.do("filter", settings.model_dump(mode="json"), {"generate": route.digest("generate")}, work)


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


def prove_stage(route: Route) -> Manifest:
    """Train inspectors with and without the synthetic images and compare them on the sealed test part."""
    from flawsmith.proof.prove import prove
    from flawsmith.synthesis.produce import open_synthetic

    controls = route.settings.controls
    for name in controls:
        control_stage(route, name)

    def work(out: Path) -> Mapping[str, Any]:
        arms: dict[str, Catalog | None] = {"real": None}
        for name in controls:
            arms[f"real+{name}"] = open_synthetic(route.folder(f"control_{name}"))
        arms["real+synthetic"] = chosen_synthetic(route)
        val = load_catalog(route.folder("split") / "val.json")
        settings = route.settings.proof
        proof = prove(training_part(route), val, route.folder("split"), arms, settings, out, progress=route.progress)
        return {"verdict": dict(proof.verdict), "arms": len(arms)}

    inputs = {name: route.digest(name) for name in ("split", "generate", "filter", *(f"control_{n}" for n in controls))}
    return route.do("prove", route.settings.proof.model_dump(mode="json"), inputs, work)


def report_stage(route: Route) -> Manifest:
    """Write the report: one HTML file."""
    from flawsmith.proof.report.render import render
    from flawsmith.recipes.report import gather

    def work(out: Path) -> Mapping[str, Any]:
        write_text(out / "report.html", render(gather(route)))
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
    "prove": prove_stage,
    "report": report_stage,
}
