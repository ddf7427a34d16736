"""Generators on a latent diffusion model of others, here of random weights, in a whole run."""

import shutil
from pathlib import Path

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import StageError
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings
from toy_pipeline import write_pipeline

OWN = {
    "anomalydiffusion": ("side=32", "token_loop.steps=6", "token_loop.batch=4", "sampling.steps=3", "net.rank=2"),
    "dualanodiff": ("size_hw=[32,32]", "loop.steps=6", "loop.batch=4", "sampling.steps=3", "net.rank=2"),
}


def made(generator: str, out: Path, weights: Path, *changes: str) -> Path:
    own = [f"{generator}.{each}" for each in (*OWN[generator], f"weights={weights}", *changes)]
    open_gates = ("kit.gates.on_object=0", "kit.gates.not_a_copy=0")
    settings = resolve(RunSettings, None, [*TINY, *open_gates, f"generator={generator}", *own])
    return flawsmith.run("demo", out, settings=settings, until="export").folder


@pytest.mark.parametrize("generator", OWN)
def test_a_run_on_weights_makes_images_that_can_be_made_again_and_finds_a_moved_base(generator, tmp_path):
    weights = write_pipeline(tmp_path / "weights")
    run = made(generator, tmp_path / "run", weights)
    images = sorted((run / "generate" / "images").rglob("*.png"))
    assert images, "the tiny run accepted no image"
    births = [read_json(birth) for birth in sorted((run / "generate" / "births").rglob("*.json"))]
    assert {birth["generator"] for birth in births} == {generator}
    assert {birth["background"] for birth in births} == {"kept"}
    assert flawsmith.remake(images[0], tmp_path / "again.png").read_bytes() == images[0].read_bytes()

    kept = {path: path.stat().st_mtime_ns for path in (*images, run / "fit" / "model" / f"{generator}.safetensors")}
    moved = Path(shutil.move(weights, tmp_path / "moved"))
    made(generator, tmp_path / "run", moved, f"sampling.weights={moved}")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    with pytest.raises(StageError, match="needs the model it is built on"):
        flawsmith.remake(images[0], tmp_path / "again.png")
