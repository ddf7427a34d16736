"""The latent generator goes the whole way: fit, generate, gates, export, births; and its captions count by content."""

import json
import shutil

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import SettingsError
from flawsmith.core.records import read_jsonl
from flawsmith.core.settings import resolve
from flawsmith.data.coordinates import Caption, write_captions
from flawsmith.data.image_io import read_image
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.produce import open_synthetic

LATENT = [
    *(each for each in TINY if not each.startswith("local.") and "mask_obeyed" not in each),
    "generator=latent",
    "latent.size_hw=[16,16]",
    "latent.autoencoder.net.widths=[8,8]",
    "latent.autoencoder.net.codes=16",
    "latent.autoencoder.loop.steps=20",
    "latent.autoencoder.loop.batch=4",
    "latent.net.widths=[8,16]",
    "latent.net.blocks=1",
    "latent.net.embedding=16",
    "latent.chain.steps=50",
    "latent.loop.steps=20",
    "latent.loop.batch=4",
    "latent.checkpoints.images=2",
    "latent.sampling.steps=4",
    "kit.gates.on_object=0",
    "kit.gates.not_a_copy=0",
    "controls=[]",
    'export.formats=["mvtec","folder"]',
]


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    """A caption for every image that the demo may hold."""
    folder = tmp_path_factory.mktemp("captions")
    split = flawsmith.run("demo", folder / "run", settings=resolve(RunSettings, None, TINY), until="split").folder
    rows = json.loads((split / "split" / "train.json").read_text())["entries"]
    texts = {row["id"]: Caption(float(number), 3.0, row["label"]) for number, row in enumerate(rows)}
    write_captions(folder / "texts", texts)
    return folder / "texts"


@pytest.fixture(scope="module")
def done(captions, tmp_path_factory):
    settings = resolve(RunSettings, None, [*LATENT, f"latent.captions={captions}"])
    return flawsmith.run("demo", tmp_path_factory.mktemp("latent") / "run", settings=settings, until="export")


def test_births_hold_the_caption_and_say_that_every_pixel_was_made(done):
    made = open_synthetic(done.folder / "generate")
    assert len(made)
    for entry in made:
        birth = json.loads((done.folder / "generate" / "births" / f"{entry.id}.json").read_text())
        (row,) = birth["defects"]
        assert birth["background"] == "made"
        assert row["mask"] == "proposed"
        assert row["caption"].split(", ")[2] == row["label"] == entry.label
        assert birth["scores"]["mask_obeyed"] is None
        assert read_image(entry.image).shape == (64, 64, 3)
    rows = [row for row in read_jsonl(done.folder / "export" / "mvtec" / "manifest.jsonl") if row["synthetic"]]
    assert len(rows) == len(made)


def test_it_is_remade_to_the_same_bytes(done, tmp_path):
    image = next((done.folder / "generate" / "images").rglob("*.png"))
    assert flawsmith.remake(image, tmp_path / "again.png").read_bytes() == image.read_bytes()


def test_captions_count_by_what_they_say_not_by_where_they_lie(done, captions, tmp_path):
    written = (done.folder / "fit" / "manifest.json").stat().st_mtime_ns
    moved = shutil.copytree(captions, tmp_path / "moved")
    flawsmith.run(
        "demo", done.folder, settings=resolve(RunSettings, None, [*LATENT, f"latent.captions={moved}"]), until="fit"
    )
    assert (done.folder / "fit" / "manifest.json").stat().st_mtime_ns == written
    first = next(moved.rglob("*.txt"))
    first.write_text(f"77, 3, {first.read_text().split(', ')[2]}")
    again = flawsmith.run(
        "demo", done.folder, settings=resolve(RunSettings, None, [*LATENT, f"latent.captions={moved}"]), until="fit"
    )
    assert (again.folder / "fit" / "manifest.json").stat().st_mtime_ns != written


def test_captions_that_are_not_there_are_refused(tmp_path):
    settings = resolve(RunSettings, None, [*LATENT, f"latent.captions={tmp_path / 'none'}"])
    with pytest.raises(SettingsError, match="none does not exist"):
        flawsmith.run("demo", tmp_path / "run", settings=settings, until="check")
