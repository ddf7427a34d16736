"""The joint generator: its window, what each network sees, that the mask fits the picture, resuming."""

import numpy as np
import pytest
import torch
from stopping import Stopped, stopping
from toy_crops import batch, shaken, small_world, spot

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import GOOD, Defect, Patch, Sample
from flawsmith.core.settings import validated
from flawsmith.filtering.gates import overlap
from flawsmith.generators.crops.bank import CropBank, defect_views, palette_of
from flawsmith.generators.crops.drawing import in_chunks
from flawsmith.generators.crops.easel import Easel
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.joint.family import JOINT
from flawsmith.generators.joint.freedom import window_of_freedom
from flawsmith.generators.joint.learner import JointLearner
from flawsmith.generators.joint.net import Condition, JointNet
from flawsmith.generators.joint.painter import JointPainter
from flawsmith.generators.joint.settings import JointSettings
from flawsmith.training.loop import train

TINY = {
    "side": 32,
    "net": {"widths": [16, 32], "embedding": 32},
    "loop": {"steps": 4, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
    "sampling": {"steps": 3},
}


def told(**changes) -> JointSettings:
    return validated(JointSettings, {**TINY, **changes})


def joint_net(settings: JointSettings, classes: int = 1, channels: int = 1) -> JointNet:
    torch.manual_seed(0)
    return shaken(JointNet(channels, classes, settings.net))


def test_the_window_is_the_box_with_room_and_ends_at_the_crops_edge():
    asked = torch.cat([spot(10, 12), spot(0, 20), torch.zeros(1, 1, 32, 32)])
    asked[0, 0, 13, 14] = 0  # a hole changes nothing
    free = window_of_freedom(asked, torch.tensor([[1, 2, 3, 4], [5, 0, 0, 9], [9, 9, 9, 9]]))
    wanted = torch.zeros_like(free)
    wanted[0, 0, 9:18, 9:24] = 1
    wanted[1, 0, 0:6, 20:32] = 1
    assert torch.equal(free, wanted)


def asked_of(count: int, known: torch.Tensor, free: torch.Tensor) -> Condition:
    return Condition(known, free, torch.zeros(count, dtype=torch.long), torch.zeros(count))


@pytest.mark.parametrize("sigma", [0.1, 5.0])
def test_inside_the_window_the_photograph_is_not_seen_and_outside_the_noise_is_not(sigma):
    net, free = joint_net(told()), spot() > 0
    x, known, level = torch.randn(1, 2, 32, 32), torch.randn(1, 1, 32, 32), torch.full((1,), sigma)

    def inside(x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        return net(x, level, asked_of(1, known, free.float()))[:, :, free[0, 0]]

    usual = inside(x, known)
    assert torch.equal(usual, inside(x, torch.where(free, 7.0, known)))
    assert torch.equal(usual, inside(torch.where(free, x, 7.0), known))
    assert not torch.allclose(usual, inside(x, torch.where(free, known, 7.0)))
    assert not torch.allclose(usual, inside(torch.where(free, 7.0, x), known))


def test_a_new_network_is_the_identity_at_no_noise():
    net, x = JointNet(1, 1, told().net), torch.randn(2, 2, 32, 32)
    clean = net(x, torch.full((2,), 1e-5), asked_of(2, x[:, :1], spot().repeat(2, 1, 1, 1)))
    assert torch.allclose(clean, x, atol=1e-4)


def test_the_noise_level_alone_decides_which_network_is_asked():
    net, other = joint_net(told()), joint_net(told())
    torch.nn.init.normal_(other.fine.leave.weight, std=0.5)
    x, condition = torch.randn(3, 2, 32, 32), asked_of(3, torch.randn(3, 1, 32, 32), spot().repeat(3, 1, 1, 1))
    sigma = torch.tensor([0.1, 5.0, 0.69])
    mixed, changed = net(x, sigma, condition), other(x, sigma, condition)
    assert [torch.equal(one, two) for one, two in zip(mixed, changed, strict=True)] == [False, True, False]
    for row in range(3):
        one = slice(row, row + 1)
        alone = net(x[one], sigma[one], asked_of(1, condition.known[one], condition.free[one]))
        assert torch.allclose(alone, mixed[one], atol=1e-5)


def test_one_network_for_all_levels_is_one_setting():
    plain = joint_net(told(net={**TINY["net"], "fine_below": None}))
    assert not [name for name, _ in plain.named_parameters() if name.startswith("fine")]
    assert (
        plain(torch.randn(1, 2, 32, 32), torch.ones(1), asked_of(1, torch.zeros(1, 1, 32, 32), spot())).isfinite().all()
    )


def test_the_loss_is_of_picture_and_mask_inside_the_window():
    net = joint_net(told(net={**TINY["net"], "fine_below": None}))
    outputs: list[torch.Tensor] = []
    net.whole.register_forward_hook(lambda module, given, output: (output.retain_grad(), outputs.append(output))[1])
    [(loss, _)] = JointLearner(net, told(margin=1)).turns(batch(), torch.Generator().manual_seed(0))
    loss.backward()
    felt = outputs[0].grad != 0
    surely, possibly = (window_of_freedom(batch()["asked"], torch.full((3, 4), room)) > 0 for room in (0, 2))
    assert felt.shape[1] == 2
    assert felt[surely.expand_as(felt)].all()
    assert not felt[~possibly.expand_as(felt)].any()


def test_every_parameter_learns():
    net = joint_net(told())
    learner, slopes = JointLearner(net, told(label_dropout=0.5)), {}
    for seed in range(6):
        [(loss, moved)] = learner.turns(
            {**batch(), "label": torch.tensor([0, 0, 1])}, torch.Generator().manual_seed(seed)
        )
        for number, slope in enumerate(torch.autograd.grad(loss, moved, allow_unused=True)):
            slopes[number] = slopes.get(number, 0.0) + (0.0 if slope is None else float(slope.abs().sum()))
    assert len(slopes) == len(list(net.parameters()))
    assert all(slopes.values())


def disc(seed: int, side: int = 24) -> Sample:
    """A bright disc of any size somewhere on a grey, grainy plate."""
    rng = np.random.default_rng(seed)
    image = rng.normal(110, 4, (side, side, 1))
    rows, columns = np.mgrid[:side, :side]
    middle, radius = rng.uniform(8, 16, 2), rng.uniform(2, 4.5)
    mask = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2
    image[mask] += 80
    return Sample(f"disc {seed}", image.clip(0, 255).astype(np.uint8), "disc", (Defect("disc", mask),))


def test_the_mask_that_comes_out_is_where_the_picture_changed(tmp_path):
    loop = {**TINY["loop"], "steps": 150, "batch": 8, "learning_rate": 4e-3}
    net_settings = {**TINY["net"], "patch": 1}
    settings = told(side=16, margin=2, net=net_settings, loop=loop, sampling={"steps": 12})
    views = [views for seed in range(8) for views in defect_views(disc(seed), 1, settings)["disc"]]
    bank = CropBank({"disc": views}, [], settings)
    torch.manual_seed(0)
    net = JointNet(1, 1, settings.net, palette_of(bank.defects))
    train(net, JointLearner(net, settings), bank.batch, settings.loop, tmp_path, seed=1)
    given = [bare(seed) for seed in range(16)]
    paintings = JointPainter(net, ("disc",), settings, "0" * 64).paint(given)
    changes = [
        np.abs(painting.image.astype(int) - each.background).max(2) > 30
        for painting, each in zip(paintings, given, strict=True)
    ]
    own = np.mean([overlap(painting.mask, change) for painting, change in zip(paintings, changes, strict=True)])
    shuffled = zip(paintings, changes[1:] + changes[:1], strict=True)
    chance = np.mean([overlap(painting.mask, change) for painting, change in shuffled])
    asked = np.mean([overlap(each.mask, change) for each, change in zip(given, changes, strict=True)])
    assert own > 0.75
    assert own > max(chance, asked) + 0.2


def bare(seed: int) -> Patch:
    """A grainy plate with a square asked for, in which a disc may be of any size."""
    background = np.random.default_rng(seed).normal(110, 4, (16, 16, 1)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((16, 16), bool)
    mask[4:11, 5:12] = True
    return Patch(background, mask, "disc", seed)


def patch(side: int, extent: int, channels: int = 1, dtype=np.uint8, label: str = "spot") -> Patch:
    background = np.random.default_rng(side).integers(0, np.iinfo(dtype).max, (side, side, channels)).astype(dtype)
    mask = np.zeros((side, side), bool)
    mask[side - extent :, 2 : 2 + extent // 2] = True
    return Patch(background, mask, label, 7)


@pytest.mark.parametrize(("side", "extent"), [(20, 6), (48, 12), (120, 100)])
def test_a_painted_mask_comes_back_to_its_place_and_stays_in_the_region(side, extent):
    given = patch(side, extent)
    easel = Easel.of(given, Palette(np.eye(1, dtype=np.float32)), told(), lambda asked: asked)
    everywhere = easel.mask_of(np.ones((32, 32), np.float32))
    assert everywhere.shape == given.mask.shape
    assert overlap(everywhere, given.mask) > (0.999 if easel.scale == 1 else 0.8)
    assert not easel.mask_of(np.full((32, 32), 0.49, np.float32)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_outside_its_window_nothing_is_painted_or_marked(channels, dtype):
    given, settings = patch(48, 12, channels, dtype), told()
    painting = JointPainter(joint_net(settings, channels=channels), ("spot",), settings, "0" * 64).paint([given])[0]
    room = torch.full((1, 4), settings.margin)
    free = window_of_freedom(torch.from_numpy(given.mask)[None, None], room)[0, 0].numpy()
    assert np.array_equal(painting.image[~free], given.background[~free])
    assert (painting.image != given.background).any()
    assert painting.mask.any()
    assert not painting.mask[~free].any()
    assert not np.array_equal(painting.mask, given.mask)


@pytest.mark.parametrize("change", [{"guidance": 3.0}, {"sampler": "euler_ancestral"}, {"steps": 4}])
def test_each_choice_of_sampling_makes_a_difference(change):
    net, given = joint_net(told()), patch(32, 12, dtype=np.uint16)
    settings = told(sampling={**TINY["sampling"], **change})
    usual, other = (JointPainter(net, ("spot",), each, "0" * 64).paint([given])[0] for each in (told(), settings))
    assert not np.array_equal(usual.image, other.image)


def test_good_removes_an_unknown_class_is_refused_and_nothing_asked_is_nothing_painted():
    painter = JointPainter(joint_net(told()), ("spot",), told(), "0" * 64)
    given = [patch(32, 0), patch(32, 12, label=GOOD), patch(32, 12)]
    nothing, good, defect = painter.paint(given)
    assert np.array_equal(nothing.image, given[0].background)
    assert not nothing.mask.any()
    assert not np.array_equal(good.image, defect.image)
    with pytest.raises(SettingsError, match="did you mean 'spot'"):
        painter.paint([patch(32, 12, label="spott")])


def test_chunks_are_always_of_one_size():
    sizes: list[int] = []

    def draw(chunk: list[int]) -> list[int]:
        sizes.append(len(chunk))
        return [-each for each in chunk]

    assert in_chunks(range(7), 3, draw) == [0, -1, -2, -3, -4, -5, -6]
    assert sizes == [3, 3, 3]
    assert in_chunks([], 3, draw) == []


def test_impossible_settings_are_refused():
    with pytest.raises(SettingsError, match="multiple of 2"):
        told(side=33)
    with pytest.raises(SettingsError, match="above sigma_min"):
        told(sampling={"sigma_max": 0.01})


def test_a_stopped_fit_ends_with_the_same_files(tmp_path, monkeypatch):
    world = small_world(tmp_path / "demo")
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    undisturbed.mkdir(), stopped.mkdir()
    JOINT.fit(world, told(), undisturbed, seed=1)
    with pytest.raises(Stopped):
        JOINT.fit(world, told(), stopped, seed=1, progress=stopping(monkeypatch, lambda task, done, calls: done == 2))
    assert not (stopped / "joint.safetensors").exists()
    JOINT.fit(world, told(), stopped, seed=1)
    assert sha256_tree(stopped) == sha256_tree(undisturbed)
