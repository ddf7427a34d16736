"""The local generator: scales, crops, and a painter whose pictures depend on seeds alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import GOOD, Defect, Patch, Sample
from flawsmith.diffusion.inpainting import region_of
from flawsmith.generators.crops.bank import CropBank, defect_views, loosen, palette_of
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.scales import RATIO, pyramid, shrink_mask
from flawsmith.generators.crops.tone import plate_of
from flawsmith.generators.local.net import Condition, LocalNet
from flawsmith.generators.local.painter import LocalPainter
from flawsmith.generators.local.settings import LocalSettings, NetSettings, SamplingSettings
from flawsmith.generators.local.start import begin_with
from flawsmith.masks.guide import GUIDE, shape_guide
from flawsmith.training.weights import save_net

TINY = LocalSettings(
    side=32,
    net=NetSettings(widths=(16, 32), embedding=32),
    sampling=SamplingSettings(steps=3, refine_steps=2),
)


@given(extent=st.floats(1, 5000), side=st.sampled_from([32, 64]), fill=st.floats(0.3, 0.9))
def test_pyramid_starts_with_the_whole_defect_and_ends_at_the_cameras_pixels(extent, side, fill):
    scales = pyramid(extent, side, fill)
    assert scales[-1] == 1.0
    assert extent / scales[0] <= fill * side + 1e-6 or scales[0] == 1.0
    assert all(1 < coarse / fine <= RATIO + 1e-6 for coarse, fine in pairwise(scales))


def test_thin_lines_survive_shrinking():
    mask = np.zeros((200, 200), bool)
    mask[:, 100:102] = True
    small = shrink_mask(mask, (40, 40))
    assert small.any(1).all()


def sample(seed: int = 0, size: int = 48, channels: int = 1, dtype=np.uint8) -> Sample:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    image = (rng.uniform(0.4, 0.6, (size, size, channels)) * top).astype(dtype)
    mask = np.zeros((size, size), bool)
    mask[20:27, 18:30] = True
    image[mask] //= 3
    return Sample(f"s{seed}", image, "spot", (Defect("spot", mask),))


def test_batches_are_in_range_and_hold_good_crops_too():
    views = defect_views(sample(), 1, TINY)
    bank = CropBank(views, [plate_of(sample(1).image, 1)], TINY)
    batch = bank.batch(np.random.default_rng(0), 64)
    assert batch["image"].shape == (64, 1, 32, 32)
    assert set(batch["label"].tolist()) == {0, 1}
    good = batch["label"] == 1
    assert batch["mask"][good].sum() == 0
    assert (batch["asked"][good].sum((1, 2, 3)) > 0).all()
    assert palette_of(views).seen.shape == (1, 1)


def oblique() -> Sample:
    """A bar at about 27 degrees, wholly inside every crop."""
    rows, columns = np.mgrid[:32, :32] - 15.5
    bar = (np.abs(rows + 0.5 * columns) < 2) & (np.abs(columns) < 6)
    image = np.full((32, 32, 1), 150, np.uint8)
    image[bar] = 60
    return Sample("o", image, "spot", (Defect("spot", bar),))


@pytest.mark.parametrize(("symmetry", "views"), [("none", 1), ("mirror", 2), ("square", 4)])
def test_the_guide_turns_with_the_crop(symmetry, views):
    told = LocalSettings(side=32, good_share=0.0, symmetry=symmetry)
    batch = CropBank(defect_views(oblique(), 1, told), [], told).batch(np.random.default_rng(0), 60)
    turned = [GUIDE.index("orientation_cos2"), GUIDE.index("orientation_sin2")]
    seen = set()
    for mask, guide in zip(batch["mask"][:, 0].numpy() > 0, batch["guide"].numpy(), strict=True):
        measured = shape_guide(mask)
        assert guide[turned] == pytest.approx([measured[GUIDE[each]] for each in turned], abs=0.02)
        seen.add(tuple(np.round(guide[turned], 2)))
    assert len(seen) == views


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_loosened_masks_stay_near_the_mask(seed):
    mask = sample().mask
    asked = loosen(mask, np.random.default_rng(seed))
    assert asked.any()
    assert not (asked & ~(region_of(torch.from_numpy(mask)[None, None].float(), 8)[0, 0].numpy() > 0)).any()


def stretched(channels: int, gain: float = 2.0) -> Palette:
    return Palette(gain * np.eye(channels, dtype=np.float32))


def painter(channels: int = 1, seed: int = 0) -> LocalPainter:
    torch.manual_seed(seed)
    net = LocalNet(channels, 1, len(GUIDE), TINY.net, stretched(channels))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return LocalPainter(net, ("spot",), TINY, "0" * 64)


def patch(seed: int, side: int = 32, extent: int = 8, dtype=np.uint8, channels: int = 1, label: str = "spot") -> Patch:
    rng = np.random.default_rng(seed)
    background = rng.integers(0, np.iinfo(dtype).max, (side, side, channels)).astype(dtype)
    mask = np.zeros((side, side), bool)
    mask[10 : 10 + extent, 8 : 8 + extent] = True
    return Patch(background, mask, label, seed, {"contrast": -0.5})


def test_neighbours_in_a_batch_change_no_pixel():
    patches = [patch(1), patch(2, 80, 60), patch(3), patch(4, 40, 12)]
    brush = painter()
    together = brush.paint(patches)
    for alone, beside in zip([brush.paint([each])[0] for each in patches], together, strict=True):
        assert np.array_equal(alone.image, beside.image)
        assert np.array_equal(alone.mask, beside.mask)


def test_another_seed_paints_something_else():
    one, other = patch(1), patch(1)
    other = Patch(one.background, one.mask, one.label, 99, one.guide)
    brush = painter()
    assert not np.array_equal(brush.paint([one])[0].image, brush.paint([other])[0].image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "extent"), [(32, 8), (80, 60)])
def test_far_from_the_mask_the_background_comes_back(dtype, channels, side, extent):
    given_patch = patch(5, side, extent, dtype, channels)
    painted = painter(channels).paint([given_patch])[0]
    region = region_of(torch.from_numpy(given_patch.mask)[None, None].float(), 24)[0, 0].numpy() > 0
    assert painted.image.shape == given_patch.background.shape
    assert painted.image.dtype == dtype
    assert np.array_equal(painted.image[~region], given_patch.background[~region])
    assert not (painted.mask & ~region).any()


def test_good_removes_and_an_unknown_class_is_refused():
    brush = painter()
    assert len(brush.paint([patch(1, label=GOOD)])) == 1
    with pytest.raises(SettingsError, match="did you mean 'spot'"):
        brush.paint([patch(1, label="spott")])


def test_the_window_holds_the_defect_and_lies_inside():
    window = painter().window((90.0, 5.0, 130.0, 12.0), (140, 140))
    assert window.left <= 90
    assert window.right >= 130
    assert 0 <= window.top < window.bottom <= 140


def test_the_network_is_the_identity_at_no_noise():
    net = LocalNet(1, 1, len(GUIDE), TINY.net)
    x = torch.randn(2, 2, 32, 32)
    ones = torch.ones(2, 1, 32, 32)
    told = Condition(
        x[:, :1], ones, ones, torch.tensor([0, 1]), torch.zeros(2, len(GUIDE)), torch.ones(2, 1), torch.zeros(2)
    )
    assert torch.allclose(net(x, torch.full((2,), 1e-5), told), x, atol=1e-4)


def random_net(labels: tuple[str, ...], seed: int, channels: int = 1, gain: float = 2.0) -> LocalNet:
    torch.manual_seed(seed)
    net = LocalNet(channels, len(labels), len(GUIDE), TINY.net, stretched(channels, gain))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return net


def saved(net: LocalNet, labels: tuple[str, ...], path):
    config = {"channels": net.channels, "labels": list(labels), "guide": list(GUIDE)}
    save_net(path, net, {**config, "settings": TINY.model_dump(mode="json")})
    return path


def test_a_start_brings_everything_but_the_palette_and_unknown_classes(tmp_path):
    theirs = random_net(("chip", "spot"), 1, gain=3.0)
    path = saved(theirs, ("chip", "spot"), tmp_path / "local.safetensors")
    net, before = random_net(("scratch", "spot"), 2), random_net(("scratch", "spot"), 2)
    begin_with(net, ("scratch", "spot"), path)
    assert float(net.palette) == 2.0
    for name, value in net.unet.state_dict().items():
        assert torch.equal(value, theirs.unet.state_dict()[name])
    assert torch.equal(net.label.weight[1], theirs.label.weight[1])  # "spot" is known
    assert torch.equal(net.label.weight[0], before.label.weight[0])  # "scratch" is learnt anew
    assert torch.equal(net.label.weight[-2:], theirs.label.weight[-2:])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_start_of_another_shape_is_refused(channels, tmp_path):
    path = saved(random_net(("spot",), 1, channels=channels), ("spot",), tmp_path / "local.safetensors")
    with pytest.raises(SettingsError, match=r"local\.start.*another shape"):
        begin_with(random_net(("spot",), 2, channels=4 - channels), ("spot",), path)
