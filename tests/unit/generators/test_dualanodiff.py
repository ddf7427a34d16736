"""DualAnoDiff: its two switches, what it learns from, the rule of its masks, laying on photographs, resuming."""

import numpy as np
import pytest
import torch
from stopping import Stopped, stopping
from toy_crops import shaken, small_world

from flawsmith.core.errors import SettingsError, StageError, TrainingError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.diffusion.inpainting import region_of
from flawsmith.generators.dualanodiff.building import build_net
from flawsmith.generators.dualanodiff.family import DUALANODIFF, GALLERY, WEIGHTS
from flawsmith.generators.dualanodiff.ground import Ground, alone, choose_ground, mask_of
from flawsmith.generators.dualanodiff.laying import NEAR_PX, laid_on
from flawsmith.generators.dualanodiff.learner import DualLearner
from flawsmith.generators.dualanodiff.net import Condition, DualNet
from flawsmith.generators.dualanodiff.painter import DualPainter
from flawsmith.generators.dualanodiff.pairs import PairBank, behind
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.gallery import Gallery, Hung
from flawsmith.training.weights import save_net

SIDE = 16
TINY = {
    "size_hw": [SIDE, SIDE],
    "net": {"widths": [8, 16], "embedding": 16, "patch": 2, "type_tokens": 2},
    "loop": {"steps": 3, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
    "sampling": {"steps": 2, "batch": 2},
}
WHITE = Ground((1.0,), 0.4)


def told(**changes) -> DualAnoDiffSettings:
    return validated(DualAnoDiffSettings, {**TINY, **changes})


def dual_net(settings: DualAnoDiffSettings, classes: int = 1) -> DualNet:
    torch.manual_seed(0)
    return shaken(build_net(1, classes, settings, WHITE))


def condition(label: int = 0, background: float = 0.0) -> Condition:
    torch.manual_seed(1)
    shape = (2, 1, SIDE, SIDE)
    return Condition(torch.full((2,), label), torch.full(shape, background), torch.randn(shape))


def estimate(net: DualNet, asked: Condition, *, defect: float = 0.0, picture: float = 0.0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(2)
    x = torch.randn(2, 2, SIDE, SIDE) + torch.tensor([picture, defect])[:, None, None]
    with torch.no_grad():
        return net(x, torch.ones(2), asked).chunk(2, 1)


@pytest.mark.parametrize("on", [True, False])
def test_interrelation_lets_each_branch_know_of_the_other(on):
    net = dual_net(told(interrelation=on))
    picture, defect = estimate(net, condition())
    assert torch.equal(estimate(net, condition(), defect=1.0)[0], picture) != on
    assert torch.equal(estimate(net, condition(), picture=1.0)[1], defect) != on
    assert any(name.startswith("interrelate") for name in net.state_dict()) == on


@pytest.mark.parametrize("on", [True, False])
def test_compensation_tells_the_whole_picture_of_its_background(on):
    net = dual_net(told(compensation=on, interrelation=False))
    picture, defect = estimate(net, condition())
    other, same = estimate(net, condition(background=0.7))
    assert torch.equal(other, picture) != on
    assert torch.equal(same, defect)
    assert any(name.startswith("compensate") for name in net.state_dict()) == on


def test_each_branch_is_told_the_class_and_a_new_network_is_the_identity_at_no_noise():
    net = dual_net(told(), classes=2)
    for one, other in zip(estimate(net, condition(0)), estimate(net, condition(1)), strict=True):
        assert not torch.allclose(one, other, atol=1e-4)
    x = torch.randn(2, 2, SIDE, SIDE)
    assert torch.allclose(build_net(1, 2, told(), WHITE)(x, torch.full((2,), 1e-5), condition()), x, atol=1e-4)


def hung(label: str = "spot", top: int = 4, value: float = 0.1, name: str = "1") -> Hung:
    image, mask = np.full((SIDE, SIDE, 1), 0.6), np.zeros((SIDE, SIDE), bool)
    if label != GOOD:
        mask[top : top + 5, 3:8] = True
        image[mask] = value
    return Hung(f"{label}/{name}", label, (image * 65535).astype(np.uint16), mask if label != GOOD else None)


def bank(good_share: float = 0.0, symmetry: str = "none") -> PairBank:
    return PairBank([hung(GOOD), hung(), hung("stain", 9, 0.9)], good_share, symmetry, margin=1)


def test_both_branches_teach_and_are_taught():
    net, batch = dual_net(told(), classes=2), bank().batch(np.random.default_rng(0), 4)
    outputs: list[torch.Tensor] = []
    net.trunk.unet.register_forward_hook(
        lambda module, given, output: (output.retain_grad(), outputs.append(output))[1]
    )
    [(loss, moved)] = DualLearner(net, 0.5).turns(batch, torch.Generator().manual_seed(0))
    loss.backward()
    whole, defect, background = outputs[0].grad.chunk(3)
    assert (whole != 0).all()
    assert (defect != 0).all()
    assert (background == 0).all()
    assert {id(each) for each in moved} == {id(each) for each in net.parameters()}
    silent = {name for name, each in net.named_parameters() if not bool((each.grad != 0).any())}
    assert not silent


def test_batches_show_pictures_with_their_masks_and_what_lies_behind():
    drawn = bank(0.4, "square").batch(np.random.default_rng(0), 64)
    assert set(drawn["label"].tolist()) == {0, 1, 2}  # spot, stain, good
    parts = (drawn[key] for key in ("image", "background", "mask", "label"))
    for image, background, mask, label in zip(*parts, strict=True):
        assert (mask.sum() == 0) == (label == 2)
        assert torch.allclose(background, torch.full_like(background, 0.2), atol=1e-3)
        wanted = {0: -0.8, 1: 0.8, 2: 0.2}[int(label)]
        assert torch.allclose(image, torch.where(mask > 0, wanted, 0.2), atol=1e-3)


def test_a_hole_is_continued_from_around_and_one_without_surroundings_is_flat():
    ramp = np.broadcast_to(np.linspace(10000, 50000, SIDE)[None, :, None], (SIDE, SIDE, 1)).astype(np.uint16)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[5:10, 5:10] = True
    spoilt = ramp.copy()
    spoilt[mask] = 0
    assert np.abs(behind(Hung("1", "spot", spoilt, mask), 1).astype(int) - ramp).max() <= 1
    everything = Hung("1", "spot", spoilt, np.ones_like(mask))
    assert len(np.unique(behind(everything, 1))) == 1


@pytest.mark.parametrize(
    ("values", "colour"),
    [([0.0, -0.2, 0.1], 1.0), ([0.2, 0.9], -1.0), ([-0.9, -1.0], 1.0), ([-1.0, 1.0], 0.0)],
)
def test_the_ground_is_what_defects_depart_from_most(values, colour):
    ground = choose_ground(np.repeat(np.array(values, np.float32), 40)[:, None])
    assert ground.colour == (colour,)
    assert ground.faint == pytest.approx(np.abs(np.array(values) - colour).min() / 2, abs=0.01)


def test_colours_have_a_ground_in_each_channel():
    assert choose_ground(np.full((50, 3), (-0.9, 0.9, -0.8), np.float32)).colour == (1.0, -1.0, 1.0)


def on_ground(noise: float = 0.02) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0, noise, (3, 32, 32)).astype(np.float32))


def test_the_mask_is_what_departs_from_the_ground():
    wanted = np.zeros((32, 32), bool)
    wanted[5:15, 8:20] = True
    for value in (-0.7, 0.3):
        picture = on_ground()
        picture[:, torch.from_numpy(wanted)] += value
        assert np.array_equal(mask_of(picture, faint=0.2), wanted)


def test_the_level_is_otsus_between_a_defect_and_its_weak_shadow():
    picture = on_ground(0.0)
    picture[:, 4:12, 4:12] = -0.8
    picture[
        :, 12:14, 4:12
    ] = -0.25  # more than the least that is asked for, but nearer to the ground than to the defect
    mask = mask_of(picture, faint=0.2)
    assert mask[4:12, 4:12].all()
    assert mask.sum() == 64


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_an_empty_ground_has_no_mask(noise):
    assert not mask_of(on_ground(noise), faint=0.4).any()


def test_holes_are_filled_and_specks_dropped():
    picture = on_ground(0.0)
    picture[:, 4:20, 4:20] = 0.5
    picture[:, 10:12, 10:12] = 0.0
    picture[:, 28, 28] = 0.5
    mask = mask_of(picture, faint=0.2)
    assert mask[4:20, 4:20].all()
    assert mask.sum() == 256


def test_a_real_defect_alone_gives_its_own_mask():
    real = hung()
    picture = torch.from_numpy(2 * real.picture - 1).permute(2, 0, 1)[None]
    defect = alone(picture, torch.from_numpy(real.mask)[None, None].float(), torch.ones(1))
    ground = choose_ground(2 * real.picture[real.mask] - 1)
    assert np.array_equal(mask_of(defect[0], ground.faint), real.mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_is_laid_near_the_mask_and_relative_to_the_tone_around(channels, dtype):
    top = np.iinfo(dtype).max
    photo = np.random.default_rng(0).integers(top // 3, top // 2, (64, 64, channels)).astype(dtype)
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[6:10, 6:10] = True
    change = torch.full((1, 3, SIDE, SIDE), 0.4)
    assert np.array_equal(laid_on(photo, change, mask.numpy()), photo)
    change[..., mask] += 0.5
    laid = laid_on(photo, change, mask.numpy())
    assert laid.dtype == dtype
    assert np.median((laid.astype(int) - photo)[28:36, 28:36]) == pytest.approx(0.25 * top, rel=0.02)
    reach = region_of(mask[None, None], 2 * NEAR_PX + 2)[0, 0].repeat_interleave(4, 0).repeat_interleave(4, 1).numpy()
    assert np.array_equal(laid[reach == 0], photo[reach == 0])
    assert np.array_equal(laid_on(photo, change, np.zeros((SIDE, SIDE), bool)), photo)


def painter(**changes) -> DualPainter:
    settings = told(**changes)
    gallery = Gallery((hung(GOOD), hung(GOOD, name="2")), (hung(),))
    return DualPainter(dual_net(settings), ("spot",), settings, gallery, 0.01, "0" * 64)


def patch(seed: int = 3, label: str = "spot", level: int = 120) -> Patch:
    photo = np.random.default_rng(7).integers(level, level + 60, (40, 48, 3)).astype(np.uint8)
    return Patch(photo, np.zeros((40, 48), bool), label, seed)


@pytest.mark.parametrize(
    "change",
    [{"sampling": {**TINY["sampling"], each: value}} for each, value in (("guidance", 1.0), ("sampler", "heun"))],
)
def test_each_choice_of_sampling_makes_a_difference(change):
    usual, other = painter().paint([patch()])[0], painter(**change).paint([patch()])[0]
    assert not np.array_equal(usual.image, other.image)


@pytest.mark.parametrize("compensation", [True, False])
def test_composition_keeps_the_photograph_and_off_every_pixel_is_made(compensation):
    whole = {"sampling": {**TINY["sampling"], "composite": False}}
    laid = painter(compensation=compensation).paint([patch()])[0]
    made = painter(compensation=compensation, **whole).paint([patch()])[0]
    assert (laid.whole, made.whole) == (False, True)
    assert laid.bare is None
    assert np.array_equal(laid.mask, made.mask)
    assert laid.mask.any()
    assert made.image.shape == made.bare.shape == patch().background.shape
    assert laid.notes == made.notes == {"resembles": "spot/1"}
    assert laid.approximate
    other = painter(compensation=compensation, **whole).paint([patch(level=20)])[0]
    assert np.array_equal(other.image, made.image) != compensation
    assert np.array_equal(other.bare, made.bare) != compensation


@pytest.mark.parametrize("label", ["spott", GOOD])
def test_a_class_not_learnt_is_refused(label):
    with pytest.raises(SettingsError, match="spot"):
        painter().paint([patch(label=label)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size_hw": [16, 18]}, "multiple of 4"),
        ({"size_hw": [16, 32], "symmetry": "square"}, "not square"),
        ({"sampling": {"sigma_max": 0.01}}, "above sigma_min"),
    ],
)
def test_settings_that_do_not_go_are_refused(change, said):
    with pytest.raises(SettingsError, match=said):
        told(**change)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Catalog:
    return small_world(tmp_path_factory.mktemp("demo"))


def test_a_fit_stopped_on_its_way_ends_with_the_same_files(world, tmp_path, monkeypatch):
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    undisturbed.mkdir(), stopped.mkdir()
    DUALANODIFF.fit(world, told(), undisturbed, seed=1)
    stop = stopping(monkeypatch, lambda task, done, calls: (task, done) == ("fit", 2))
    with pytest.raises(Stopped):
        DUALANODIFF.fit(world, told(), stopped, seed=1, progress=stop)
    DUALANODIFF.fit(world, told(), stopped, seed=1)
    assert sha256_tree(stopped) == sha256_tree(undisturbed)
    pixels = bytearray((stopped / GALLERY).read_bytes())
    pixels[-1] ^= 1
    (stopped / GALLERY).write_bytes(pixels)
    with pytest.raises(StageError, match="not of the same fit"):
        DUALANODIFF.load(stopped)


def test_weights_of_another_version_are_refused(tmp_path):
    save_net(tmp_path / WEIGHTS, torch.nn.Linear(1, 1), {"channels": 1, "labels": ["dark"]})
    with pytest.raises(StageError, match="another version"):
        DUALANODIFF.load(tmp_path)


def test_without_good_pictures_there_is_nothing_to_learn_backgrounds_from(world, tmp_path):
    with pytest.raises(TrainingError, match="add good images"):
        DUALANODIFF.fit(world.labelled(*world.defect_labels), told(), tmp_path, seed=1)
