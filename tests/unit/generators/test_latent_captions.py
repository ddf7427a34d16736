"""What the latent generator is told: names and places, as captions and as tensors."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flawsmith.core.errors import DataError, SettingsError, TrainingError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.settings import validated
from flawsmith.data.coordinates import Caption, load_pattern, write_captions
from flawsmith.data.image_io import write_image
from flawsmith.generators.latent.captions import (
    Captions,
    Plane,
    Told,
    located_captions,
    plain_captions,
    written_captions,
)
from flawsmith.generators.latent.condition import FEATURES, Condition, place_features
from flawsmith.generators.latent.naming import clip_vectors
from flawsmith.generators.latent.settings import LatentSettings
from flawsmith.recipes.captions import caption_data
from flawsmith.recipes.settings import RunSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from lattices import Circuit

PERIOD = np.array([14.0, 18.0])
SHIFTS = {"good/0": (0.0, 0.0), "good/1": (0.4, 0.7), "spot/0": (0.25, 0.5), "spot/1": (0.6, 0.1)}


def entry(id: str, root: Path = Path("/nowhere")) -> Entry:
    return Entry(id, root / f"{id}.png", id.split("/")[0], id)


@pytest.fixture
def panels(tmp_path) -> Catalog:
    """Four images of a pattern at known places, and one that does not show it."""
    circuit, rng = Circuit(PERIOD, seed=4), np.random.default_rng(0)
    for id, shift in SHIFTS.items():
        write_image(tmp_path / f"set/{id}.png", circuit.image((90, 84), shift, rng, noise=0.01))
    write_image(tmp_path / "set/spot/2.png", rng.integers(0, 255, (90, 84, 1), np.uint8))
    entries = [entry(id, tmp_path / "set") for id in (*SHIFTS, "spot/2")]
    return Catalog("panels", tmp_path / "set", "folder", tuple(entries))


def test_without_captions_only_the_class_counts(panels):
    captions = plain_captions(panels)
    assert captions.names == (GOOD, "spot")
    assert captions.plane is None
    condition = Condition.of(list(captions.by_id.values()), captions.names, captions.plane)
    assert condition.name.tolist() == [0, 0, 1, 1, 1]
    assert not condition.place.any()
    assert not condition.placed.any()


def test_located_places_are_where_the_pattern_is(panels):
    captions = located_captions(panels, panels)
    period = np.array(captions.plane.period_xy)
    assert period == pytest.approx(PERIOD, abs=0.05)
    for id, shift in SHIFTS.items():
        apart = np.array(captions.by_id[id].place) / period - shift
        assert (np.abs((apart + 0.5) % 1 - 0.5) * period < 0.25).all()
    assert captions.by_id["spot/2"] == Told("spot", None)


def test_without_good_images_there_is_no_pattern_to_locate_in(panels):
    with pytest.raises(TrainingError, match="has none"):
        located_captions(panels, panels.labelled("spot"))


def test_what_the_stage_wrote_is_read_with_its_period(panels, tmp_path):
    caption_data(panels.root, tmp_path / "run", settings=RunSettings())
    stage = tmp_path / "run/captions"
    found = written_captions(panels, stage)
    assert found == written_captions(panels, stage / "texts")
    assert found.plane == Plane.periodic(load_pattern(stage).lattice.period_xy)
    assert found.by_id["spot/2"] == Told("spot", None)
    assert found.by_id["spot/0"].place == located_captions(panels, panels).by_id["spot/0"].place
    assert Captions.from_json(found.to_json()) == found


def test_names_may_be_finer_than_classes_and_a_period_is_not_needed(tmp_path):
    catalog = Catalog("x", tmp_path, "folder", (entry("spot/0"), entry("spot/1"), entry("good/0")))
    texts = {"spot/0": Caption(3.0, 40.0, "spot, on a line"), "spot/1": Caption(12.0, 5.0, "spot")}
    write_captions(tmp_path, texts)
    captions = written_captions(catalog, tmp_path)
    assert captions.names == (GOOD, "spot", "spot, on a line")
    assert captions.plane == Plane((24.0, 80.0), (12.0, 40.0))
    first, last = place_features((0.0, 0.0), captions.plane), place_features((12.0, 40.0), captions.plane)
    assert (first - last).abs().max() > 1


def test_captions_of_other_images_are_refused(tmp_path):
    write_captions(tmp_path, {"scratch/7": Caption(1, 2, "scratch")})
    with pytest.raises(DataError, match=r"none of them of the 1 training images: expected spot/0\.txt"):
        written_captions(Catalog("x", tmp_path, "folder", (entry("spot/0"),)), tmp_path)


@given(x=st.floats(-50, 50), y=st.floats(-50, 50), turns=st.integers(-3, 3))
def test_a_period_further_is_the_same_place(x, y, turns):
    plane = Plane.periodic((14.0, 18.0))
    here = place_features((x, y), plane)
    there = place_features((x + 14 * turns, y - 18 * turns), plane)
    assert here.shape == (FEATURES,)
    assert torch.allclose(here, there, atol=1e-4)
    assert torch.allclose(here, place_features(plane.wrapped((x, y)), plane), atol=1e-4)
    assert all(0 <= at <= length for at, length in zip(plane.wrapped((x, y)), plane.period_xy, strict=True))


def test_what_is_forgotten_is_name_and_place():
    told = [Told("a", (1.0, 2.0)), Told("b", (3.0, 4.0))]
    condition = Condition.of(told, ("a", "b"), Plane.periodic((10.0, 10.0)))
    left = condition.without(torch.tensor([True, False]), 2)
    assert left.name.tolist() == [2, 1]
    assert not left.place[0].any()
    assert left.placed.tolist() == [[0.0], [1.0]]
    assert torch.equal(left.place[1], condition.place[1])
    again = Condition.of_batch(left.as_batch)
    assert torch.equal(again.place, left.place)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"captions": "x", "locate": True}, "not both"),
        ({"locate": True, "symmetry": "mirror"}, "another place"),
        ({"size_hw": [64, 68]}, "multiples of 16"),
        ({"size_hw": [64, 128], "symmetry": "square"}, "not square"),
        ({"checkpoints": {"lpips_weights": "x"}}, "set vgg"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, said):
    with pytest.raises(SettingsError, match=said):
        validated(LatentSettings, changes)


def test_a_folder_without_a_text_model_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*config\.json: give a folder with a CLIP text model"):
        clip_vectors(["scratch"], tmp_path)


@pytest.mark.skipif(find_spec("transformers") is not None, reason="transformers is installed here")
def test_without_transformers_it_is_said_what_is_missing(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(SettingsError, match="needs the package transformers"):
        clip_vectors(["scratch"], tmp_path)


def test_a_text_model_tells_names_apart(tmp_path):
    transformers = pytest.importorskip("transformers")
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = {word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    (tmp_path / "vocab.json").write_text(str(words).replace("'", '"'))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)
    config = transformers.CLIPTextConfig(
        vocab_size=len(words), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.CLIPTextModel(config).save_pretrained(tmp_path)
    vectors = clip_vectors(["scratch", "dent", "scratch"], tmp_path)
    assert vectors.shape == (3, 8)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3))
    assert torch.allclose(vectors[0], vectors[2], atol=1e-6)
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-3)
