"""DualAnoDiff in a whole run: from the demo to exported images that can be made again, laid on photographs or whole."""

from pathlib import Path

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.produce import open_synthetic

OWN = [
    *(each for each in TINY if not each.startswith("local.")),
    "generator=dualanodiff",
    "dualanodiff.size_hw=[16,16]",
    "dualanodiff.net.widths=[8,16]",
    "dualanodiff.net.embedding=32",
    "dualanodiff.net.patch=2",
    "dualanodiff.loop.steps=15",
    "dualanodiff.loop.batch=4",
    "dualanodiff.sampling.steps=3",
    "kit.gates.on_object=0",
    "kit.gates.not_a_copy=0",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("dual") / "run")


def made(out: Path, *changes: str) -> Path:
    return flawsmith.run("demo", out, settings=resolve(RunSettings, None, [*OWN, *changes]), until="export").folder


def births(run: Path) -> list[dict]:
    return [read_json(birth) for birth in sorted((run / "generate" / "births").rglob("*.json"))]


def remade(run: Path, where: Path) -> bool:
    image = next((run / "generate" / "images").rglob("*.png"))
    return flawsmith.remake(image, where).read_bytes() == image.read_bytes()


def test_a_run_lays_defects_on_photographs_and_says_that_masks_are_proposed(run, tmp_path):
    found = births(run)
    assert found
    for birth in found:
        assert (birth["generator"], birth["background"]) == ("dualanodiff", "kept")
        assert birth["scores"]["mask_obeyed"] is None
        (row,) = birth["defects"]
        assert row["mask"] == "proposed"
        assert row["resembles"].startswith(row["label"])
    for entry in open_synthetic(run / "generate"):
        assert all(mask.approximate for mask in entry.masks)
    assert read_json(run / "export" / "manifest.json")["counts"]["synthetic"] == len(found)
    assert remade(run, tmp_path / "again.png")


def test_without_composition_every_pixel_is_made_and_nothing_is_learnt_again(run, tmp_path):
    weights = run / "fit" / "model" / "dualanodiff.safetensors"
    fitted = weights.stat().st_mtime_ns
    made(run, "dualanodiff.sampling.composite=false")
    assert weights.stat().st_mtime_ns == fitted
    assert {birth["background"] for birth in births(run)} == {"made"}
    assert remade(run, tmp_path / "again.png")
