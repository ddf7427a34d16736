"""Generators of crops from the papers in a whole run: from the demo to exported images that can be made again."""

from pathlib import Path

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings

OWN = {
    "anomalydiffusion": (
        *("loop.steps=20", "token_loop.steps=10", "token_loop.batch=4"),
        *("side=32", "net.widths=[16,32]", "net.embedding=32", "loop.batch=4", "sampling.steps=3"),
    ),
    "joint": (
        "loop.steps=30",
        *("side=32", "net.widths=[16,32]", "net.embedding=32", "loop.batch=4", "sampling.steps=3"),
    ),
}
OTHER_SAMPLING = {"anomalydiffusion": "sampling.reweighting=false", "joint": "sampling.guidance=3"}


def made(generator: str, out: Path, *changes: str) -> Path:
    own = [f"{generator}.{each}" for each in (*OWN[generator], *changes)]
    settings = resolve(RunSettings, None, [*TINY, f"generator={generator}", *own])
    return flawsmith.run("demo", out, settings=settings, until="export").folder


def images_of(run: Path) -> list[Path]:
    return sorted((run / "generate" / "images").rglob("*.png"))


@pytest.mark.parametrize("generator", OWN)
def test_a_run_makes_and_exports_images_that_can_be_made_again(generator, tmp_path):
    run = made(generator, tmp_path / "run")
    images = images_of(run)
    assert images, "the tiny run accepted no image"
    assert flawsmith.remake(images[0], tmp_path / "again.png").read_bytes() == images[0].read_bytes()
    births = [read_json(birth) for birth in sorted((run / "generate" / "births").rglob("*.json"))]
    assert {birth["generator"] for birth in births} == {generator}
    assert {birth["background"] for birth in births} == {"kept"}
    assert all(birth["scores"]["mask_obeyed"] is not None for birth in births)
    assert read_json(run / "export" / "manifest.json")["counts"]["synthetic"] == len(images)
    fitted = (run / "fit" / "model" / f"{generator}.safetensors").stat().st_mtime_ns
    before = [path.read_bytes() for path in images]
    made(generator, tmp_path / "run", OTHER_SAMPLING[generator])
    assert (run / "fit" / "model" / f"{generator}.safetensors").stat().st_mtime_ns == fitted
    assert [path.read_bytes() for path in images_of(run)] != before
