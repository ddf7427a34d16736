"""A generator of whole images goes the whole way: fit, generate, gates, export, births, remake and proof."""

import json

import numpy as np
import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import SettingsError
from flawsmith.core.records import read_jsonl
from flawsmith.core.settings import resolve
from flawsmith.data.image_io import read_image
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.produce import open_synthetic

WHOLE = [
    *(each for each in TINY if not each.startswith("local.") and "mask_obeyed" not in each),
    "generator=ddpm",
    "ddpm.size_hw=[16,16]",
    "ddpm.net.widths=[8,16]",
    "ddpm.net.blocks=1",
    "ddpm.net.attention=[1]",
    "ddpm.chain.steps=50",
    "ddpm.loop.steps=20",
    "ddpm.loop.batch=4",
    "ddpm.sampling.steps=4",
    "kit.gates.on_object=0",
    "kit.gates.not_a_copy=0",
    "controls=[]",
    'export.formats=["mvtec","coco","folder"]',
]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    settings = resolve(RunSettings, None, WHOLE)
    return flawsmith.run("demo", tmp_path_factory.mktemp("whole") / "run", settings=settings)


def test_births_say_that_every_pixel_was_made_and_the_mask_proposed(done):
    made = open_synthetic(done.folder / "generate")
    assert len(made)
    for entry in made:
        birth = json.loads((done.folder / "generate" / "births" / f"{entry.id}.json").read_text())
        assert birth["background"] == "made"
        assert birth["scores"]["mask_obeyed"] is None
        assert birth["scores"]["visible"] is not None
        (row,) = birth["defects"]
        assert row["mask"] == "proposed"
        assert row["mask_against"].startswith("good/")
        assert read_image(entry.image).shape == (64, 64, 3)
        assert all(mask.approximate for mask in entry.masks)
        assert all(defect.approximate for defect in flawsmith.load_sample(entry).defects)


def test_exports_and_the_log_carry_what_the_births_say(done):
    rows = [row for row in read_jsonl(done.folder / "export" / "mvtec" / "manifest.jsonl") if row["synthetic"]]
    assert rows
    assert {row["birth"]["background"] for row in rows} == {"made"}
    tried = read_jsonl(done.folder / "generate" / "gates.jsonl")
    assert not any(reason.startswith("mask_obeyed") for row in tried for reason in row["reasons"])


def test_it_is_remade_to_the_same_bytes(done, tmp_path):
    image = next((done.folder / "generate" / "images").rglob("*.png"))
    assert flawsmith.remake(image, tmp_path / "again.png").read_bytes() == image.read_bytes()


def test_it_is_proved_and_no_background_is_claimed(done):
    assert done.results["verdict"]["candidate"] == "real+synthetic"
    quality = json.loads((done.folder / "quality" / "quality.json").read_text())
    assert quality["background"]["images"] == 0
    assert "No image has kept a photograph as its background" in done.report.read_text()


def test_a_least_score_of_a_gate_that_does_not_apply_is_refused(done):
    settings = resolve(RunSettings, None, [*WHOLE, "filter.least={mask_obeyed: 0.5}"])
    with pytest.raises(SettingsError, match="does not apply"):
        flawsmith.run("demo", done.folder, settings=settings, until="filter")


def test_another_seed_makes_another_picture(done):
    made = open_synthetic(done.folder / "generate").entries
    first, second = (read_image(entry.image) for entry in made[:2])
    assert not np.array_equal(first, second)
