"""Make one synthetic image again from its birth record, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.records import Birth
from flawsmith.core.settings import validated
from flawsmith.core.store import read_manifest
from flawsmith.data.image_io import read_metadata, write_image
from flawsmith.recipes.making import workshop
from flawsmith.recipes.route import Route
from flawsmith.recipes.settings import RunSettings


def remake(image: str | Path, out: str | Path, run: str | Path | None = None) -> Path:
    """Make the synthetic image `image` again and write it to `out`; the same machine gives the same bytes.

    The run that made it is found by looking upward from the image, or given as `run`. Raises DataError when the file
    carries no birth record, or one that was changed, or the run's generator, backgrounds or settings are not those it
    was made with.
    """
    from flawsmith.synthesis.plan import Order
    from flawsmith.synthesis.produce import BIRTH_KEY

    image = Path(image)
    text = read_metadata(image).get(BIRTH_KEY)
    if text is None:
        raise DataError(f"{image} carries no birth record: it is not an image that flawsmith made")
    birth, label, slot = _birth(image, text)
    folder = Path(run) if run else _run_folder(image)
    route = Route("", folder, RunSettings(), fit=_fit_of(image, folder))
    fitted = read_manifest(route.folder("fit")).settings["generator"] == birth.generator
    stage, home = ("generate", "fit") if fitted else (f"control_{birth.generator}", f"control_{birth.generator}")
    model = route.folder(home) / "model"
    used = read_manifest(route.folder(stage)).settings
    settings = validated(RunSettings, {name: used[name] for name in used if name in RunSettings.model_fields})
    shop = workshop(replace(route, settings=settings), birth.generator, model, judged=fitted)
    if shop.generator.weights_sha256 != birth.weights_sha256:
        raise DataError(f"{image} was made with other weights than those in {model}: give the run that made it")
    (made,) = shop.make([Order(label, slot, 0, birth.seed)])
    if _drawn(made.birth) != _drawn(birth):
        raise DataError(
            f"the birth record in {image} tells of another image than its seed gives in this run: the record was "
            "changed, or the run made its images anew with other settings"
        )
    if made.birth.background_sha256 != birth.background_sha256:
        raise DataError(f"the background {birth.background_id} of {image} has changed since")
    target = Path(out)
    write_image(target, made.image, {BIRTH_KEY: json.dumps(made.birth.to_json(), sort_keys=True)})
    return target


def _birth(image: Path, text: str) -> tuple[Birth, str, int]:
    """Return the birth record in an image, with the class and number that its id says."""
    from flawsmith.generators.catalogue import GENERATORS

    try:
        birth = Birth.from_json(json.loads(text))
        label, slot = birth.id.rsplit("/", 1)
        if birth.generator in GENERATORS and isinstance(birth.seed, int):
            return birth, label, int(slot)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise DataError(
        f"{image} carries a birth record that flawsmith did not write: it was changed, or is from elsewhere"
    )


def _drawn(birth: Birth) -> tuple[Any, ...]:
    """Return what a run draws from the seed: on which background which defects, and where."""
    return birth.id, birth.background_id, birth.defects


def _fit_of(image: Path, run: Path) -> int:
    """Return which of a run's fits made an image: by the stage it lies in, the run's own where it lies in none."""
    stage = image.resolve().relative_to(run.resolve()).parts[0] if run.resolve() in image.resolve().parents else ""
    number = stage.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0


def _run_folder(image: Path) -> Path:
    for parent in image.resolve().parents:
        if (parent / "fit" / "manifest.json").is_file():
            return parent
    raise DataError(f"no run folder above {image}: say which run made it (--run DIR)")
