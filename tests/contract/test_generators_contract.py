"""Every registered generator: fitted on the demo world, painted with, saved, and asked the same things."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from flawsmith.core.errors import FlawsmithError, SettingsError
from flawsmith.core.files import sha256_tree
from flawsmith.core.protocols import silent
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.generators.catalogue import GENERATORS, generator
from flawsmith.masks.morphology import tight
from flawsmith.recipes.settings import RunSettings

LOCAL = {
    "side": 32,
    "net": {"widths": [16, 32], "embedding": 32},
    "loop": {"steps": 25, "batch": 4, "device": "cpu", "checkpoint_seconds": 1000.0},
    "sampling": {"steps": 3, "refine_steps": 2},
}
DDPM = {
    "size_hw": [16, 16],
    "net": {"widths": [8, 16], "blocks": 1, "attention": [1]},
    "chain": {"steps": 20},
    "loop": {"steps": 4, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
    "sampling": {"sampler": "euler_ancestral", "steps": 3, "batch": 2},
}
LATENT = {
    "size_hw": [16, 16],
    "autoencoder": {"net": {"widths": [8, 8], "codes": 16}, "loop": {**DDPM["loop"], "steps": 20}},
    "net": {"widths": [8, 16], "blocks": 1, "embedding": 16},
    "chain": {"steps": 20},
    "loop": DDPM["loop"],
    "checkpoints": {"images": 1},
    "sampling": {"sampler": "euler_ancestral", "steps": 3, "batch": 2},
}
ANOMALYDIFFUSION = {
    "side": 32,
    "net": {"widths": [16, 32], "embedding": 32, "type_tokens": 2, "spatial_tokens": 2, "rank": 2},
    "loop": LOCAL["loop"],
    "token_loop": {**LOCAL["loop"], "steps": 10},
    "sampling": {"steps": 3},
}
DUALANODIFF = {
    "size_hw": [32, 32],
    "net": {"widths": [8, 16], "embedding": 32, "type_tokens": 2},
    "loop": {**DDPM["loop"], "steps": 10},
    "sampling": {"steps": 3, "batch": 2},
}
JOINT = {
    "side": 32,
    "net": {"widths": [16, 32], "embedding": 32},
    "loop": LOCAL["loop"],
    "sampling": {"steps": 3},
}
TINY = {
    "local": LOCAL,
    "anomalydiffusion": ANOMALYDIFFUSION,
    "dualanodiff": DUALANODIFF,
    "joint": JOINT,
    "ddpm": DDPM,
    "latent": LATENT,
    "perlin": {"textures": 4, "texture_side": 48},
}
MASKING = ("local", "joint")
"""Generators whose mask comes out of a network: after a few steps it may be empty, and where it is not known before."""
LEARNT = ("local", "anomalydiffusion", "joint")
"""Generators that learn from masks, and so cannot do without, nor a class that they have not seen."""
WHOLE = ("ddpm", "latent")
"""Generators of whole images, of which nothing of the photograph is kept."""
LAYING = ("dualanodiff",)
"""Generators of whole images whose defect is laid on the photograph."""
UNTOLD = (*WHOLE, *LAYING)
"""Generators that are not told where, and say afterwards."""
PASTING = ("copy_paste", "copy_paste_poisson", "cutmix")
"""Generators that paste training defects, and so cannot do a class that they have not seen."""
KINDS = {
    "uint8 RGB": (np.uint8, 3),
    "uint16 grey": (np.uint16, 1),
    "uint8 grey": (np.uint8, 1),
    "uint16 RGB": (np.uint16, 3),
}
BOXES = [(0.0, 0.0, 3.0, 2.0), (40.0, 10.0, 60.0, 90.0), (97.0, 95.0, 100.0, 100.0), (1.0, 1.0, 99.0, 99.0)]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> dict[int, Catalog]:
    """A demo data set in colour at 8 bits, and one in grey at 16, by their number of channels."""
    tiny = {"size_hw": (64, 64), "good": 4, "per_class": 2, "most_shots": 1, "faint_share": 0.0}
    root = tmp_path_factory.mktemp("demo")
    return {
        3: write_demo(root / "colour", DemoSettings(**tiny)),
        1: write_demo(root / "grey", DemoSettings(**tiny, channels=1, depth=16)),
    }


@pytest.fixture(scope="module")
def fitted(worlds, tmp_path_factory):
    """Return a function: (name, channels) -> folder of a model, fitted once."""
    done: dict[tuple[str, int], Path] = {}

    def fit(name: str, channels: int = 3) -> Path:
        if (name, channels) not in done:
            done[name, channels] = fit_into(tmp_path_factory.mktemp(name) / "model", name, worlds[channels])
        return done[name, channels]

    return fit


def fit_into(folder: Path, name: str, catalog: Catalog, seed: int = 3) -> Path:
    family = generator(name)
    folder.mkdir(parents=True)
    family.fit(catalog, validated(family.settings, TINY.get(name, {})), folder, seed=seed, progress=silent)
    return folder


def patch(seed: int, kind: str = "uint8 RGB", side: int = 64, label: str = "blowhole") -> Patch:
    dtype, channels = KINDS[kind]
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    background = rng.normal(0.55, 0.02, (side, side, channels)).clip(0, 1) * top
    background *= np.linspace(0.8, 1.1, side)[:, None, None]
    mask = np.zeros((side, side), bool)
    mask[22:34, 20:36] = True
    return Patch(background.astype(dtype), mask, label, seed)


def same(one, other) -> bool:
    return np.array_equal(one.image, other.image) and np.array_equal(one.mask, other.mask)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_run_can_set_every_option_of_it(name):
    assert RunSettings.model_fields[name].annotation is generator(name).settings


@pytest.mark.parametrize("name", GENERATORS)
def test_the_same_seed_paints_the_same_bytes_and_another_does_not(name, fitted):
    painter = generator(name).load(fitted(name))
    first, again = painter.paint([patch(5)]), generator(name).load(fitted(name)).paint([patch(5)])
    assert same(first[0], again[0])
    base = patch(5)
    others = [Patch(base.background, base.mask, base.label, seed) for seed in (6, 7, 8)]
    assert not all(same(first[0], each) for each in painter.paint(others))


@pytest.mark.parametrize("name", GENERATORS)
def test_neighbours_order_and_batches_change_no_picture(name, fitted):
    painter = generator(name).load(fitted(name))
    patches = [patch(1), patch(2, side=80), patch(3, label="stain"), patch(4)]
    together = painter.paint(patches)
    assert len(together) == 4
    for alone, beside in zip((painter.paint([each])[0] for each in patches), together, strict=True):
        assert same(alone, beside)
    for one, other in zip(painter.paint(patches[::-1])[::-1], together, strict=True):
        assert same(one, other)
    assert painter.paint([]) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_depth_shape_and_channels_of_the_background_are_kept(name, channels, kind, fitted):
    painter = generator(name).load(fitted(name, channels))
    given = [patch(seed, kind, side) for seed, side in ((1, 64), (2, 72))]
    before = [each.background.copy() for each in given]
    for each, old, painting in zip(given, before, painter.paint(given), strict=True):
        assert painting.image.dtype == each.background.dtype
        assert painting.image.shape == each.background.shape
        assert painting.mask.dtype == np.bool_
        assert painting.mask.shape == each.mask.shape
        assert np.array_equal(each.background, old)
        assert not np.shares_memory(painting.image, each.background)


@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in (*MASKING, *UNTOLD)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_there_and_is_where_pixels_changed(name, kind, fitted):
    painter = generator(name).load(fitted(name))
    given = [patch(seed, kind) for seed in range(6)]
    for each, painting in zip(given, painter.paint(given), strict=True):
        changed = (painting.image != each.background).any(2)
        assert painting.mask.any()
        assert changed[painting.mask].mean() > 0.5
        assert (changed & painting.mask).sum() > 0


@pytest.mark.parametrize("name", GENERATORS)
def test_it_says_whether_it_can_be_told_where(name, fitted):
    painter = generator(name).load(fitted(name))
    assert painter.takes_mask == (name not in UNTOLD)
    for painting in painter.paint([patch(1), patch(2)]):
        assert painting.whole == (name in WHOLE)
        assert painting.approximate == (name in UNTOLD)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_image_takes_no_more_than_size_and_depth_from_the_background(name, fitted):
    painter = generator(name).load(fitted(name))
    given, other = patch(1), patch(2)
    one = painter.paint([given])[0]
    two = painter.paint([Patch(other.background, np.zeros_like(other.mask), given.label, given.seed)])[0]
    assert same(one, two)
    for each in (one.bare, one.shown):
        assert each.shape == given.background.shape
        assert each.dtype == given.background.dtype
    assert painter.window((3.0, 4.0, 5.0, 6.0), (70, 90)) == (0, 0, 70, 90)


@pytest.mark.parametrize("name", LAYING)
def test_what_is_laid_changes_the_photograph_under_its_mask_and_not_far_from_it(name, fitted):
    painter = generator(name).load(fitted(name))
    assert painter.window((3.0, 4.0, 5.0, 6.0), (70, 90)) == (0, 0, 70, 90)
    given = [patch(seed, side=112) for seed in range(6)]
    painted = painter.paint(given)
    assert any(painting.mask.any() for painting in painted)
    for each, painting in zip(given, painted, strict=True):
        changed = (painting.image != each.background).any(2)
        assert changed.any() == painting.mask.any()
        assert not changed[distance_transform_edt(~painting.mask) > 24].any() or not painting.mask.any()
        assert painting.bare is None
        assert painting.shown.shape == each.background.shape


@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in UNTOLD])
def test_far_from_what_was_asked_and_made_the_background_stays(name, fitted):
    painter = generator(name).load(fitted(name))
    given = [patch(seed, side=112) for seed in range(4)]
    for each, painting in zip(given, painter.paint(given), strict=True):
        far = distance_transform_edt(~(each.mask | painting.mask)) > 24
        assert far.any()
        assert np.array_equal(painting.image[far], each.background[far])
        made = tight(painting.mask) if painting.mask.any() else tight(each.mask)
        middle = np.array([made.top + made.bottom, made.left + made.right]) / 2
        assert np.abs(middle - [28, 28]).max() < 20


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("box", BOXES)
def test_the_window_holds_the_box_and_lies_inside_the_picture(name, box, fitted):
    window = generator(name).load(fitted(name)).window(box, (100, 100))
    assert 0 <= window.top <= box[1] < box[3] <= window.bottom <= 100
    assert 0 <= window.left <= box[0] < box[2] <= window.right <= 100


@pytest.mark.parametrize("name", GENERATORS)
def test_fitting_again_gives_the_same_files(name, worlds, fitted, tmp_path):
    again = fit_into(tmp_path / "again", name, worlds[3])
    assert sha256_tree(again) == sha256_tree(fitted(name))
    weights = generator(name).load(again).weights_sha256
    assert weights in sha256_tree(again).values()
    assert len(weights) == 64


@pytest.mark.parametrize("name", GENERATORS)
def test_a_model_is_safetensors_and_json_and_moves(name, fitted, tmp_path):
    files = [path for path in fitted(name).rglob("*") if path.is_file()]
    assert files
    assert {path.suffix for path in files} <= {".safetensors", ".json"}
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in files:
        target = moved / path.relative_to(fitted(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        assert os.fsencode(fitted(name)) not in path.read_bytes()
    here, there = (generator(name).load(folder).paint([patch(1)])[0] for folder in (fitted(name), moved))
    assert same(here, there)


@pytest.mark.parametrize("name", [*PASTING, *LEARNT, *UNTOLD])
def test_a_class_not_learnt_is_refused_and_the_nearest_proposed(name, fitted):
    with pytest.raises(SettingsError, match="did you mean 'blowhole'"):
        generator(name).load(fitted(name)).paint([patch(1, label="blowhold")])


@pytest.mark.parametrize("name", [*PASTING, *LEARNT, *UNTOLD])
def test_without_defects_there_is_nothing_to_learn(name, worlds, tmp_path):
    with pytest.raises(FlawsmithError, match=r"no defect (masks|images)"):
        fit_into(tmp_path / "model", name, worlds[3].labelled(GOOD))


@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in (*PASTING, *LEARNT, *UNTOLD)])
def test_the_others_need_no_defects(name, worlds, tmp_path):
    painter = generator(name).load(fit_into(tmp_path / "model", name, worlds[3].labelled(GOOD)))
    assert painter.paint([patch(1, label="never seen")])[0].mask.any()


@pytest.mark.parametrize("name", GENERATORS)
def test_settings_have_defaults_and_refuse_what_they_do_not_know(name):
    settings = generator(name).settings
    assert settings() == validated(settings, {})
    with pytest.raises(SettingsError, match="unknown setting"):
        validated(settings, {"no_such_setting": 1})
