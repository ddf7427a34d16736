"""AnomalyDiffusion in a whole run: from the demo to exported images that can be made again."""

from pathlib import Path

from tiny import TINY

import flawsmith
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings

OWN = [
    "generator=anomalydiffusion",
    "anomalydiffusion.side=32",
    "anomalydiffusion.net.widths=[16,32]",
    "anomalydiffusion.net.embedding=32",
    "anomalydiffusion.loop.steps=20",
    "anomalydiffusion.loop.batch=4",
    "anomalydiffusion.token_loop.steps=10",
    "anomalydiffusion.token_loop.batch=4",
    "anomalydiffusion.sampling.steps=3",
]


def made(out: Path, *changes: str) -> Path:
    settings = resolve(RunSettings, None, [*TINY, *OWN, *changes])
    return flawsmith.run("demo", out, settings=settings, until="export").folder


def test_a_run_makes_and_exports_images_that_can_be_made_again(tmp_path):
    run = made(tmp_path / "run")
    images = sorted((run / "generate" / "images").rglob("*.png"))
    assert images, "the tiny run accepted no image"
    assert flawsmith.remake(images[0], tmp_path / "again.png").read_bytes() == images[0].read_bytes()
    births = sorted((run / "generate" / "births").rglob("*.json"))
    assert {read_json(birth)["generator"] for birth in births} == {"anomalydiffusion"}
    assert read_json(run / "export" / "manifest.json")["counts"]["synthetic"] == len(images)
    fitted = (run / "fit" / "model" / "anomalydiffusion.safetensors").stat().st_mtime_ns
    before = [path.read_bytes() for path in images]
    made(tmp_path / "run", "anomalydiffusion.sampling.reweighting=false")
    assert (run / "fit" / "model" / "anomalydiffusion.safetensors").stat().st_mtime_ns == fitted
    assert [path.read_bytes() for path in sorted((run / "generate" / "images").rglob("*.png"))] != before
