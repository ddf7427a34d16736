"""AnomalyDiffusion: what each stage learns from, re-weighting, the way into the network and back, resuming."""

import numpy as np
import pytest
import torch
from stopping import Stopped, stopping
from toy_crops import batch, shaken, small_world, spot

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.diffusion.inpainting import mean_inside, region_of
from flawsmith.generators.anomalydiffusion.building import build_net
from flawsmith.generators.anomalydiffusion.course import FIRST, course_of
from flawsmith.generators.anomalydiffusion.family import ANOMALYDIFFUSION
from flawsmith.generators.anomalydiffusion.learner import TokenLearner
from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.painter import TokenPainter
from flawsmith.generators.anomalydiffusion.reweighting import MOST, emphasis, reach
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.anomalydiffusion.tokens import Condition
from flawsmith.generators.crops.bank import CropBank
from flawsmith.generators.crops.easel import Easel
from flawsmith.generators.crops.palette import Palette
from flawsmith.masks.morphology import dilate

TINY = {
    "side": 32,
    "net": {"widths": [16, 32], "embedding": 32, "type_tokens": 2, "spatial_tokens": 2},
    "loop": {"steps": 4, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
    "token_loop": {"steps": 4, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
    "sampling": {"steps": 3},
}
PIXELS = {"cell": 4, "sigma_data": 0.5}


def told(**changes) -> AnomalyDiffusionSettings:
    return validated(AnomalyDiffusionSettings, {**TINY, **changes})


def token_net(settings: AnomalyDiffusionSettings, classes: int = 2, channels: int = 1) -> TokenNet:
    torch.manual_seed(0)
    return shaken(build_net(channels, classes, settings))


@pytest.mark.parametrize("masked", [True, False])
def test_the_masked_loss_knows_nothing_of_what_lies_outside(masked):
    net = token_net(told())
    outputs: list[torch.Tensor] = []
    unet = net.trunk.unet
    unet.register_forward_hook(lambda module, given, output: (output.retain_grad(), outputs.append(output))[1])
    learner = TokenLearner(net, net.tokens.of_defects, 0.0, 2 if masked else None)
    [(loss, _)] = learner.turns(batch(), torch.Generator().manual_seed(0))
    loss.backward()
    outside = region_of(spot(), 2).repeat(3, 1, 1, 1) == 0
    slope = outputs[0].grad
    assert (slope[~outside] != 0).all()
    assert (slope[outside] == 0).all() == masked


def test_a_mean_inside_counts_small_masks_as_much_as_large_ones():
    error = torch.ones(2, 1, 8, 8)
    region = torch.zeros(2, 1, 8, 8)
    region[0, 0, 0, 0] = region[1, 0, :4] = 1
    error[region == 0] = 100.0
    assert mean_inside(error, region).tolist() == [1.0, 1.0]


def stages(net: TokenNet, settings: AnomalyDiffusionSettings) -> list[TokenLearner]:
    return [stage.learner for stage in course_of(net, CropBank({}, [], settings), settings, seed=0)]


def test_the_second_stage_moves_tokens_and_additions_only():
    settings = told(net={**TINY["net"], "rank": 2})
    net = token_net(settings)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    first, second = ({names[id(each)] for each in stage.parameters} for stage in stages(net, settings))
    assert {name.split(".")[1] for name in second} == {"types", "encoder", "unet"}
    assert {name.split(".")[-2] for name in second if name.startswith("trunk")} == {"narrow", "widen"}
    assert first | second == set(names.values())
    assert not any("narrow" in name or "widen" in name for name in first)


def test_every_parameter_of_a_stage_is_moved_by_it():
    settings = told(net={**TINY["net"], "rank": 2}, condition_dropout=0.5)
    net = token_net(settings)
    half = {**batch(), "label": torch.tensor([0, 1, 2])}
    for stage in stages(net, settings):
        slopes = {}
        for seed in range(4):
            [(loss, moved)] = stage.turns(half, torch.Generator().manual_seed(seed))
            for parameter, slope in zip(moved, torch.autograd.grad(loss, moved), strict=True):
                slopes[id(parameter)] = slopes.get(id(parameter), 0) + float(slope.abs().sum())
        assert all(slopes.values())


def test_without_the_spatial_encoder_the_mask_says_nothing():
    seeing, blind = token_net(told()), token_net(told(spatial_encoder=False))
    x, sigma = torch.randn(1, 1, 32, 32), torch.ones(1)

    def asked(mask):
        return Condition(torch.zeros(1, dtype=torch.long), mask, torch.ones(1), torch.zeros(1))

    assert not torch.allclose(seeing(x, sigma, asked(spot())), seeing(x, sigma, asked(spot(20, 4))), atol=1e-5)
    assert torch.equal(blind(x, sigma, asked(spot())), blind(x, sigma, asked(spot(20, 4))))
    assert seeing.tokens(asked(spot())).shape[1] == blind.tokens(asked(spot())).shape[1] + 2


def test_told_nothing_the_mask_does_not_count():
    net = token_net(told())
    label, none = torch.tensor([net.nothing]), torch.zeros(1)
    one, other = (net.tokens(Condition(label, mask, none, none)) for mask in (spot(), spot(20, 4)))
    assert torch.equal(one, other)


def test_a_new_network_is_the_identity_at_no_noise():
    net = build_net(1, 1, told())
    x = torch.randn(2, 1, 32, 32)
    asked = Condition(torch.tensor([0, 1]), spot().repeat(2, 1, 1, 1), torch.ones(2), torch.zeros(2))
    assert torch.allclose(net(x, torch.full((2,), 1e-5), asked), x, atol=1e-4)


def test_what_is_painted_least_is_told_loudest():
    background = torch.zeros(1, 1, 32, 32)
    estimate = torch.ones(1, 1, 32, 32)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    estimate[..., 8:12, 8:16] = 0.8
    factors = emphasis(estimate, background, mask, sigma=0.001, **PIXELS)[0, 0]
    assert factors.min() == 1
    assert factors.max() <= MOST
    loud = factors > 1
    assert set(map(tuple, loud.nonzero().tolist())) == {(2, 2), (2, 3)}


def test_re_weighting_stays_in_its_range_for_any_estimate():
    torch.manual_seed(0)
    background, mask = torch.randn(4, 3, 32, 32), spot().repeat(4, 1, 1, 1)
    mask[3] = 0
    estimate = torch.randn(4, 3, 32, 32)
    estimate[1] = background[1]
    for sigma in (0.01, 1.0, 50.0):
        factors = emphasis(estimate, background, mask, sigma, **PIXELS)
        assert factors.isfinite().all()
        assert factors.amin() >= 1
        assert factors.amax() <= MOST
        assert (factors[3] == 1).all()
        assert torch.allclose(factors[1], torch.ones(()))  # alike everywhere: nobody is told louder


def test_reach_grows_with_the_noise():
    reaches = [reach(sigma, 64, 0.5) for sigma in (0.01, 0.1, 0.5, 2.0, 20.0)]
    assert reaches == sorted(reaches)
    assert reaches[0] < reaches[-1]


def patch(side: int, top: int, left: int, extent: int, channels: int = 1, dtype=np.uint8, label: str = "spot") -> Patch:
    rng = np.random.default_rng(side)
    background = rng.integers(0, np.iinfo(dtype).max, (side, side, channels)).astype(dtype)
    mask = np.zeros((side, side), bool)
    mask[top : top + extent, left : left + extent // 2] = True
    return Patch(background, mask, label, 7)


def palette(channels: int) -> Palette:
    return Palette(2 * np.eye(channels, dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("own", "channels"), [(1, 1), (3, 3), (1, 3), (3, 1)])
@pytest.mark.parametrize(("side", "extent"), [(20, 6), (48, 12), (120, 100)])
def test_an_unpainted_crop_is_the_background_and_a_painted_one_changes_the_region(side, extent, own, channels, dtype):
    given = patch(side, side - extent, 2, extent, channels, dtype)
    easel = Easel.of(given, palette(own), told(), lambda asked: dilate(asked, 2))
    assert easel.known.shape == (32, 32, own)
    assert easel.mask.any()
    assert np.array_equal(easel.picture(easel.known), given.background)
    painted = easel.picture(easel.known - 1.0)
    assert painted.dtype == dtype
    assert painted.shape == given.background.shape
    changed = (painted != given.background).any(2)
    assert changed[given.mask].mean() > 0.9
    far = region_of(torch.from_numpy(given.mask)[None, None], int(6 * easel.scale) + 4)[0, 0].numpy() == 0
    assert not changed[far].any()


def test_a_patch_without_a_mask_comes_back_as_it_is():
    given = patch(40, 0, 0, 0)
    painter = TokenPainter(token_net(told(), classes=1), 1, ("spot",), told(), "0" * 64)
    painting = painter.paint([given])[0]
    assert np.array_equal(painting.image, given.background)
    assert not painting.mask.any()


@pytest.mark.parametrize("change", [{"reweighting": False}, {"guidance": 1.0}, {"sampler": "euler_ancestral"}])
def test_each_choice_of_sampling_makes_a_difference(change):
    net, given = token_net(told(), classes=1), patch(32, 8, 8, 12, dtype=np.uint16)
    usual = TokenPainter(net, 1, ("spot",), told(), "0" * 64).paint([given])[0]
    settings = told(sampling={**TINY["sampling"], **change})
    other = TokenPainter(net, 1, ("spot",), settings, "0" * 64).paint([given])[0]
    assert not np.array_equal(usual.image, other.image)
    assert np.array_equal(usual.mask, given.mask)


def test_good_removes_and_an_unknown_class_is_refused():
    painter = TokenPainter(token_net(told(), classes=1), 1, ("spot",), told(), "0" * 64)
    assert len(painter.paint([patch(32, 8, 8, 12, label=GOOD)])) == 1
    with pytest.raises(SettingsError, match="did you mean 'spot'"):
        painter.paint([patch(32, 8, 8, 12, label="spott")])


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(SettingsError, match="multiple of 2"):
        told(side=33)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Catalog:
    return small_world(tmp_path_factory.mktemp("demo"))


def test_a_fit_stopped_in_either_stage_ends_with_the_same_files(world, tmp_path, monkeypatch):
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    undisturbed.mkdir(), stopped.mkdir()
    ANOMALYDIFFUSION.fit(world, told(), undisturbed, seed=1)
    for where in ("fit", "fit tokens"):
        stop = stopping(monkeypatch, lambda task, done, calls, where=where: (task, done) == (where, 2))
        with pytest.raises(Stopped):
            ANOMALYDIFFUSION.fit(world, told(), stopped, seed=1, progress=stop)
        assert (stopped / FIRST).exists() == (where == "fit tokens")
    ANOMALYDIFFUSION.fit(world, told(), stopped, seed=1)
    assert sha256_tree(stopped) == sha256_tree(undisturbed)


def test_the_second_stage_leaves_the_network_alone(world, tmp_path):
    longer = told(token_loop={**TINY["token_loop"], "steps": 8, "learning_rate": 0.01})
    nets = []
    for name, settings in (("short", told()), ("long", longer)):
        (tmp_path / name).mkdir()
        ANOMALYDIFFUSION.fit(world, settings, tmp_path / name, seed=1)
        nets.append(ANOMALYDIFFUSION.load(tmp_path / name, device="cpu").net)
    one, other = (net.state_dict() for net in nets)
    changed = {name.split(".")[1] for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"types", "encoder"}
