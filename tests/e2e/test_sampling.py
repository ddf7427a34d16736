"""How a generator is drawn from is no business of its fit."""

from pathlib import Path

from tiny import TINY

import flawsmith
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings


def made(out: Path, *changes: str) -> tuple[int, list[bytes]]:
    """Return when the fit was written, and the images."""
    run = flawsmith.run("demo", out, settings=resolve(RunSettings, None, [*TINY, *changes]), until="generate").folder
    images = sorted((run / "generate" / "images").rglob("*.png"))
    assert images, "the tiny run accepted no image"
    return (run / "fit" / "model" / "local.safetensors").stat().st_mtime_ns, [path.read_bytes() for path in images]


def test_another_sampling_makes_other_images_from_the_same_fit(tmp_path):
    fitted, images = made(tmp_path / "run")
    again, others = made(tmp_path / "run", "local.sampling.example_noise=6.0")
    assert again == fitted
    assert others != images
    remade = flawsmith.remake(next((tmp_path / "run" / "generate" / "images").rglob("*.png")), tmp_path / "again.png")
    assert remade.read_bytes() in others
    fresh, same = made(tmp_path / "fresh", "local.sampling.example_noise=6.0")
    assert fresh != fitted
    assert same == others
