"""AnomalyDiffusion and DualAnoDiff on a latent diffusion model of others, here one of random weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from stopping import Stopped, stopping
from toy_crops import batch, small_world, spot

from flawsmith.core.errors import SettingsError, StageError
from flawsmith.core.files import read_json, sha256_tree
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.generators.anomalydiffusion import building as token_building
from flawsmith.generators.anomalydiffusion.course import course_of
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.anomalydiffusion.tokens import Condition
from flawsmith.generators.borrowing import BASE
from flawsmith.generators.catalogue import generator
from flawsmith.generators.crops.bank import CropBank
from flawsmith.generators.dualanodiff import building as dual_building
from flawsmith.generators.dualanodiff.ground import Ground
from flawsmith.generators.dualanodiff.learner import DualLearner
from flawsmith.generators.dualanodiff.net import Condition as DualCondition
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.stable import Stable
from flawsmith.nets.pipeline import open_pipeline
from flawsmith.training.weights import load_weights
from toy_pipeline import write_pipeline

LOOP = {"steps": 3, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0, "learning_rate": 0.05}
TINY = {
    "anomalydiffusion": {
        "side": 32,
        "net": {"type_tokens": 2, "spatial_tokens": 2, "rank": 2},
        "token_loop": LOOP,
        "sampling": {"steps": 3},
    },
    "dualanodiff": {
        "size_hw": [32, 32],
        "net": {"type_tokens": 2, "rank": 2},
        "loop": LOOP,
        "sampling": {"steps": 3, "batch": 2},
    },
}
TASK = {"anomalydiffusion": "fit tokens", "dualanodiff": "fit"}
NAMES = list(TINY)


def told(name: str, weights: Path, **changes):
    return validated(generator(name).settings, {**TINY[name], "weights": weights, **changes})


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Catalog:
    return small_world(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def fitted(world, weights, tmp_path_factory):
    """Return a function: (name, changes of the settings) -> folder of a model, fitted once."""
    done: dict[tuple[str, str], Path] = {}

    def fit(name: str, base: Path = weights, **changes) -> Path:
        key = name, repr((base, changes))
        if key not in done:
            done[key] = tmp_path_factory.mktemp(name)
            generator(name).fit(world, told(name, base, **changes), done[key], seed=1)
        return done[key]

    return fit


def patch(seed: int = 3, dtype=np.uint8, channels: int = 3, label: str = "blowhole") -> Patch:
    rng = np.random.default_rng(7)
    background = (rng.uniform(0.4, 0.6, (48, 48, channels)) * np.iinfo(dtype).max).astype(dtype)
    mask = np.zeros((48, 48), bool)
    mask[16:28, 18:32] = True
    return Patch(background, mask, label, seed)


def images(painter, *patches: Patch) -> list[np.ndarray]:
    return [np.concatenate([each.image, each.mask[..., None]], 2) for each in painter.paint(patches)]


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_writes_what_it_learnt_and_not_what_it_builds_on(name, weights, fitted):
    before = sha256_tree(weights)
    folder = fitted(name)
    assert sha256_tree(weights) == before
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    assert read_json(folder / BASE)["folder"] == str(weights.resolve())
    tensors, config = load_weights(folder / f"{name}.safetensors")
    assert config["base"] == read_json(folder / BASE)["files"]
    assert {key.split(".")[1] for key in tensors if key.startswith("trunk")} == {"low_rank"}
    assert str(weights) not in str(config)


@pytest.mark.parametrize("name", NAMES)
def test_learning_leaves_what_it_builds_on_alone(name, weights, fitted):
    """The weights in memory, but for what is wrapped around them."""
    seen: list[Stable] = []
    building = token_building if name == "anomalydiffusion" else dual_building

    def kept(pipeline):
        seen.append(Stable(pipeline))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(building, "Stable", kept)
        fitted(name, condition_dropout=0.2)
    fresh = dict(open_pipeline(weights).unet.named_parameters())
    taught = {key.replace(".whole.", "."): value for key, value in seen[0].unet.named_parameters()}
    assert fresh.keys() <= taught.keys()
    assert all(torch.equal(fresh[key], taught[key]) for key in fresh)
    added = {key for key in taught if key not in fresh}
    assert any(taught[key].abs().sum() > 0 for key in added if "widen" in key)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_paints_the_same_whoever_is_beside(name, fitted):
    painter = generator(name).load(fitted(name), device="cpu")
    given = [patch(1), patch(2), patch(3, label="stain"), patch(4), patch(5)]
    together = images(painter, *given)
    alone = [images(painter, each)[0] for each in given]
    again = images(generator(name).load(fitted(name), device="cpu"), *given[::-1])[::-1]
    for one, other, third in zip(together, alone, again, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)
    assert not np.array_equal(together[0], together[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint16, 3)])
def test_pictures_keep_their_kind_and_their_background(name, dtype, channels, fitted):
    given = patch(dtype=dtype, channels=channels)
    painting = generator(name).load(fitted(name), device="cpu").paint([given])[0]
    assert painting.image.dtype == dtype
    assert painting.image.shape == given.background.shape
    if name == "anomalydiffusion":
        assert np.array_equal(painting.mask, given.mask)
        changed = (painting.image != given.background).any(2)
        assert changed[given.mask].mean() > 0.5
        assert not changed[:8].any()


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_stopped_on_its_way_ends_with_the_same_files(name, world, weights, fitted, tmp_path, monkeypatch):
    stop = stopping(monkeypatch, lambda task, done, calls: (task, done) == (TASK[name], 2))
    with pytest.raises(Stopped):
        generator(name).fit(world, told(name, weights), tmp_path, seed=1, progress=stop)
    other = write_pipeline(tmp_path / "other weights", seed=1)
    with pytest.raises(StageError, match="was begun on the model in"):
        generator(name).fit(world, told(name, other), tmp_path, seed=1)
    shutil.rmtree(other)
    generator(name).fit(world, told(name, weights), tmp_path, seed=1)
    assert sha256_tree(tmp_path) == sha256_tree(fitted(name))


@pytest.mark.parametrize("name", NAMES)
def test_another_model_is_refused_a_moved_one_is_found_and_a_missing_part_named(name, weights, fitted, tmp_path):
    folder, family = fitted(name), generator(name)
    moved = shutil.copytree(weights, tmp_path / "moved")
    wished = told(name, weights, sampling={**TINY[name]["sampling"], "weights": moved}).sampling
    usual = told(name, weights).sampling
    one, other = (images(family.load(folder, each, device="cpu"), patch())[0] for each in (usual, wished))
    assert np.array_equal(one, other)
    (moved / "vae" / "config.json").unlink()
    with pytest.raises(StageError, match=r"lacks vae/config\.json.*sampling\.weights"):
        family.load(folder, wished)
    shutil.rmtree(moved)
    write_pipeline(moved, seed=1)
    with pytest.raises(StageError, match="is not the model that"):
        family.load(folder, wished)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_gives_the_velocity_paints_too(name, fitted, tmp_path_factory):
    base = write_pipeline(tmp_path_factory.mktemp("velocity"), prediction="v_prediction")
    one, other = (generator(name).load(folder, device="cpu") for folder in (fitted(name), fitted(name, base)))
    assert not np.array_equal(images(one, patch())[0], images(other, patch())[0])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("anomalydiffusion", {"spatial_encoder": False}),
        ("anomalydiffusion", {"masked_loss": False}),
        ("anomalydiffusion", {"net": {**TINY["anomalydiffusion"]["net"], "rank": 0}}),
        ("anomalydiffusion", {"sampling": {"steps": 3, "reweighting": False}}),
        ("anomalydiffusion", {"sampling": {"steps": 3, "guidance": 1.0}}),
        ("dualanodiff", {"interrelation": False}),
        ("dualanodiff", {"compensation": False}),
        ("dualanodiff", {"sampling": {"steps": 3, "batch": 2, "guidance": 1.0}}),
    ],
)
def test_each_switch_makes_a_difference(name, change, weights, fitted):
    family, own = generator(name), dict(TINY[name]["sampling"])
    if name == "dualanodiff":
        own["composite"] = False
    learnt = {key: value for key, value in change.items() if key != "sampling"}
    usual, wished = (
        told(name, weights, sampling=each).sampling for each in (own, {**own, **change.get("sampling", {})})
    )
    one = images(family.load(fitted(name), usual, device="cpu"), patch(dtype=np.uint16))[0]
    other = images(family.load(fitted(name, **learnt), wished, device="cpu"), patch(dtype=np.uint16))[0]
    assert not np.array_equal(one, other)


def slopes(net, learner, given) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    total: dict[str, float] = {}
    for seed in range(4):
        [(loss, moved)] = learner.turns(given, torch.Generator().manual_seed(seed))
        for parameter, slope in zip(moved, torch.autograd.grad(loss, moved), strict=True):
            total[names[id(parameter)]] = total.get(names[id(parameter)], 0.0) + float(slope.abs().sum())
    return total


def shaken(net):
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net


def test_all_that_is_anomalydiffusions_own_learns_in_one_stage(weights):
    settings = told("anomalydiffusion", weights, condition_dropout=0.5)
    assert isinstance(settings, AnomalyDiffusionSettings)
    net = shaken(token_building.build_net(1, 2, settings))
    (stage,) = course_of(net, CropBank({}, [], settings), settings, seed=0)
    found = slopes(net, stage.learner, {**batch(), "label": torch.tensor([0, 1, 2])})
    assert found.keys() == dict(net.named_parameters()).keys()
    assert all(found.values())


@pytest.mark.parametrize("masked", [True, False])
def test_the_masked_loss_knows_nothing_of_latents_that_the_mask_does_not_touch(masked, weights):
    settings = told("anomalydiffusion", weights, masked_loss=masked, margin=1)
    net = shaken(token_building.build_net(1, 2, settings))
    outputs: list[torch.Tensor] = []
    net.trunk.stable.unet.register_forward_hook(
        lambda module, given, output: (output[0].retain_grad(), outputs.append(output[0]))[1]
    )
    (stage,) = course_of(net, CropBank({}, [], settings), settings, seed=0)
    [(loss, _)] = stage.learner.turns(batch(), torch.Generator().manual_seed(0))
    loss.backward()
    slope = outputs[0].grad
    touched = torch.zeros(8, 8, dtype=torch.bool)
    touched[2:5, 2:6] = True  # rows 9 to 16 and columns 11 to 20 of 32, in cells of 4; its corners are cut
    touched[4, [2, 5]] = False
    assert (slope[..., touched] != 0).all()
    assert (slope[..., ~touched] == 0).all() == masked


def test_a_mask_tells_where_and_told_nothing_it_does_not(weights):
    net = shaken(token_building.build_net(1, 2, told("anomalydiffusion", weights)))
    x, sigma, label = torch.randn(1, 4, 8, 8), torch.ones(1), torch.zeros(1, dtype=torch.long)

    def estimate(mask, is_told):
        with torch.no_grad():
            return net(x, sigma, Condition(label, mask, torch.full((1,), is_told), torch.zeros(1)))

    assert not torch.allclose(estimate(spot(), 1.0), estimate(spot(20, 4), 1.0), atol=1e-5)
    assert torch.equal(estimate(spot(), 0.0), estimate(spot(20, 4), 0.0))


@pytest.mark.parametrize("on", [True, False])
def test_all_that_is_dualanodiffs_own_learns_and_branches_exchange(on, weights):
    settings = told("dualanodiff", weights, interrelation=on, compensation=on, condition_dropout=0.5)
    assert isinstance(settings, DualAnoDiffSettings)
    net = shaken(dual_building.build_net(1, 2, settings, Ground((1.0,), 0.2)))
    shape = (3, 1, 32, 32)
    given = {
        "image": torch.rand(shape) * 2 - 1,
        "background": torch.rand(shape) * 2 - 1,
        "mask": spot().repeat(3, 1, 1, 1),
        "label": torch.tensor([0, 1, 2]),
    }
    found = slopes(net, DualLearner(net, 0.5), given)
    assert found.keys() == dict(net.named_parameters()).keys()
    assert all(found.values())
    assert any(name.startswith("interrelate") for name in found) == on
    pair = torch.randn(1, 8, 8, 8)
    changed = pair.clone()
    changed[:, 4:] += 1
    asked = DualCondition(torch.zeros(1, dtype=torch.long), torch.zeros(1, 4, 8, 8), torch.randn(1, 4, 8, 8))
    with torch.no_grad():
        one, other = (net(each, torch.ones(1), asked)[:, :4] for each in (pair, changed))
    assert torch.equal(one, other) != on


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("anomalydiffusion", {"side": 34}, "side 34 must be a multiple of 8"),
        ("dualanodiff", {"size_hw": [32, 36]}, "multiple of 8"),
    ],
)
def test_sides_that_do_not_fit_are_refused(name, change, said, weights):
    with pytest.raises(SettingsError, match=said):
        told(name, weights, **change)


def test_good_removes_here_too(fitted):
    painter = generator("anomalydiffusion").load(fitted("anomalydiffusion"), device="cpu")
    assert not np.array_equal(images(painter, patch(label=GOOD))[0], images(painter, patch())[0])
