"""The joint generator in a whole run: from the demo to exported images that can be made again."""

from pathlib import Path

from tiny import TINY

import flawsmith
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings

OWN = [
    "generator=joint",
    "joint.side=32",
    "joint.net.widths=[16,32]",
    "joint.net.embedding=32",
    "joint.loop.steps=30",
    "joint.loop.batch=4",
    "joint.sampling.steps=3",
]


def made(out: Path, *changes: str) -> Path:
    settings = resolve(RunSettings, None, [*TINY, *OWN, *changes])
    return flawsmith.run("demo", out, settings=settings, until="export").folder


def test_a_run_makes_and_exports_images_that_can_be_made_again(tmp_path):
    run = made(tmp_path / "run")
    images = sorted((run / "generate" / "images").rglob("*.png"))
    assert images, "the tiny run accepted no image"
    assert flawsmith.remake(images[0], tmp_path / "again.png").read_bytes() == images[0].read_bytes()
    births = [read_json(birth) for birth in sorted((run / "generate" / "births").rglob("*.json"))]
    assert {birth["generator"] for birth in births} == {"joint"}
    assert {birth["background"] for birth in births} == {"kept"}
    assert all("mask_obeyed" in birth["scores"] for birth in births)
    assert read_json(run / "export" / "manifest.json")["counts"]["synthetic"] == len(images)
    fitted = (run / "fit" / "model" / "joint.safetensors").stat().st_mtime_ns
    before = [path.read_bytes() for path in images]
    made(tmp_path / "run", "joint.sampling.guidance=3")
    assert (run / "fit" / "model" / "joint.safetensors").stat().st_mtime_ns == fitted
    assert [path.read_bytes() for path in sorted((run / "generate" / "images").rglob("*.png"))] != before
