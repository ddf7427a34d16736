"""The proof in a run: its arms made, compared, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import StageError
from flawsmith.core.store import Manifest, verified_manifest
from flawsmith.data.loading import load_catalog
from flawsmith.recipes.making import family_settings, fit_generator, make_images, making_settings, own_files
from flawsmith.recipes.refits import all_fits
from flawsmith.recipes.route import Route, chosen_synthetic, spare_part, training_part


def control_stage(route: Route, name: str) -> Manifest:
    """Make the same number of images with a classical generator, unfiltered: the control of the proof."""
    settings = route.settings

    def work(out: Path) -> Mapping[str, Any]:
        fit_generator(name, training_part(route), out / "model", route)
        return make_images(route, name, out / "model", out, judged=False)

    inputs = {"split": route.digest("split"), "kit": route.digest("kit"), **own_files(settings)}
    family = family_settings(settings, name).model_dump(mode="json")
    chosen = {"control": name, "settings": family, **making_settings(settings, name)}
    return route.do(f"control_{name}", chosen, inputs, work)


def unfiltered_stage(route: Route) -> Manifest:
    """Make the same number of images with the fitted generator, no gate asked: it shows what filtering is worth."""
    settings = route.settings

    def work(out: Path) -> Mapping[str, Any]:
        return make_images(route, settings.generator, route.folder("fit") / "model", out, judged=False)

    inputs = {"fit": route.digest("fit"), "kit": route.digest("kit"), **own_files(settings)}
    return route.do("unfiltered", making_settings(settings, settings.generator), inputs, work)


def prove_stage(route: Route) -> Manifest:
    """Train inspectors with and without the synthetic images and compare them on the sealed test part."""
    from flawsmith.proof.arms import Arm
    from flawsmith.proof.asked import given_files
    from flawsmith.proof.prove import prove
    from flawsmith.synthesis.produce import open_synthetic

    wanted, fits = route.settings.arms, all_fits(route)
    rivals = [f"control_{name}" for name in route.settings.controls]
    rivals += ["unfiltered"] if "unfiltered" in wanted else []
    for each in fits:
        for name in route.settings.controls:
            control_stage(each, name)
        if "unfiltered" in wanted:
            unfiltered_stage(each)

    def work(out: Path) -> Mapping[str, Any]:
        arms = {"real": Arm()} | ({"all_real": Arm(spare=spare_part(route))} if "all_real" in wanted else {})
        if "augmented" in wanted:
            arms["real+augmentation"] = Arm(options={"augment": 1.0})
        for stage in rivals:
            first, *further = (open_synthetic(each.folder(stage)) for each in fits)
            arms[f"real+{stage.removeprefix('control_')}"] = Arm(first, further=tuple(further))
        first, *further = (chosen_synthetic(each) for each in fits)
        if "synthetic_only" in wanted:
            arms["synthetic"] = Arm(first, real_defects=False, further=tuple(further))
        arms["real+synthetic"] = Arm(first, further=tuple(further))
        val = load_catalog(route.folder("split") / "val.json")
        parts, settings = (training_part(route), val, route.folder("split")), route.settings.proof
        proof = prove(*parts, arms, settings, out, progress=route.progress, earlier=_earlier(route))
        return {"verdict": dict(proof.verdict), "arms": len(arms)}

    files = {f"inspector.{name}": found for name, found in given_files(route.settings.proof).items()}
    inputs = {each.named(name): each.digest(name) for each in fits for name in ("split", "generate", "filter", *rivals)}
    chosen = route.settings.proof.model_dump(mode="json") | ({"arms": sorted(wanted)} if wanted else {})
    return route.do("prove", chosen, inputs | files, work)


def _earlier(route: Route) -> Path | None:
    """Return the proof that this run has finished before, with other arms, seeds or fits, unless it was changed."""
    try:
        verified_manifest(route.folder("prove"))
    except StageError:
        return None
    return route.folder("prove")
