"""An image is made again from its birth record as it was written, and from no other."""

import json

import pytest

import flawsmith
from flawsmith.core.errors import DataError, FlawsmithError
from flawsmith.core.settings import resolve
from flawsmith.data.image_io import read_image, read_metadata, write_image
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.produce import BIRTH_KEY

SMALL = [
    "generator=copy_paste", "demo.good=8", "demo.per_class=4", "demo.size_hw=[64,64]", "split.shots=2",
    "split.join_lookalikes=false", "generate.plan.per_class=1", "kit.gates.mask_obeyed=0", "kit.gates.visible=0",
]  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    settings = resolve(RunSettings, None, SMALL)
    run = flawsmith.run("demo", tmp_path_factory.mktemp("remake") / "run", settings=settings, until="generate").folder
    return min((run / "generate" / "images").rglob("*.png"))


@pytest.fixture
def remade(image, tmp_path):
    """Make the image again from another text in the place of its birth record."""

    def make(text):
        write_image(tmp_path / "changed.png", read_image(image), {} if text is None else {BIRTH_KEY: text})
        return flawsmith.remake(tmp_path / "changed.png", tmp_path / "again.png", image.parents[3])

    yield make
    assert not (tmp_path / "again.png").exists(), "what is refused is not written"


@pytest.fixture(scope="module")
def birth(image):
    return json.loads(read_metadata(image)[BIRTH_KEY])


def test_the_record_as_it_was_written_gives_the_same_bytes(image, tmp_path):
    assert flawsmith.remake(image, tmp_path / "again.png").read_bytes() == image.read_bytes()


def test_an_image_without_a_record_is_refused(remade):
    with pytest.raises(DataError, match="carries no birth record"):
        remade(None)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", '"local"', "[" * 100_000])
def test_what_is_no_record_is_refused(remade, text):
    with pytest.raises(DataError, match="a birth record that flawsmith did not write"):
        remade(text)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "7"}, {"seed": None}, {"id": "crack"}, {"id": "crack/one"}, {"id": 3}, {"defects": None},
        {"generator": "no such"}, {"generator": ["local"]}, {"weights": "of another name"},
    ],
)  # fmt: skip
def test_a_record_of_another_form_is_refused(remade, birth, change):
    with pytest.raises(DataError, match="a birth record that flawsmith did not write"):
        remade(json.dumps({**birth, **change}))


@pytest.mark.parametrize("change", [{"seed": 7}, {"id": "stain/00001"}, {"background_id": "good/x"}, {"defects": []}])
def test_a_record_of_another_image_is_refused(remade, birth, change):
    assert {**birth, **change} != birth
    with pytest.raises(DataError, match="tells of another image"):
        remade(json.dumps({**birth, **change}))


def test_a_defect_moved_in_the_record_is_refused(remade, birth):
    moved = [{**each, "window": [0, 0, 9, 9]} for each in birth["defects"]]
    with pytest.raises(DataError, match="tells of another image"):
        remade(json.dumps({**birth, "defects": moved}))


@pytest.mark.parametrize(
    ("name", "message"),
    [("weights_sha256", "made with other weights"), ("background_sha256", "the background .* has changed since")],
)
def test_other_weights_and_backgrounds_are_named(remade, birth, name, message):
    with pytest.raises(DataError, match=message):
        remade(json.dumps({**birth, name: "0" * 64}))


@pytest.mark.parametrize("change", [{"id": "no such class/00000"}, {"generator": "perlin"}])
def test_what_the_run_has_never_made_ends_in_our_own_error(remade, birth, change):
    with pytest.raises(FlawsmithError, match=r"'no such class'|control_perlin"):
        remade(json.dumps({**birth, **change}))
