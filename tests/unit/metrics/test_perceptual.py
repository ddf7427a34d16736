from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as theirs
from skimage.metrics import structural_similarity

from flawsmith.core.errors import DataError
from flawsmith.metrics.generation import kid, kid_of_all
from flawsmith.metrics.perceptual import ic_lpips, lpips, lpips_between, mean_of_pairs
from flawsmith.metrics.structure import REACH_PX, error_outside, ssim, ssim_map, ssim_outside
from flawsmith.nets.features.known import open_lpips_weights

WIDTHS = (64, 128, 256, 512, 512)


def maps_of(count, seed, sides=(9, 7, 5, 3, 2)):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, width, side, side + 1)) for width, side in zip(WIDTHS, sides, strict=True)]


def learnt_weights():
    """LPIPS's own weights for VGG-16, which torchmetrics carries."""
    found = open_lpips_weights(Path(theirs.__file__).parent / "lpips_models" / "vgg.pth")
    return [each.numpy() for each in found]


def by_torchmetrics(one, other, weights):
    """The distance as torchmetrics' own functions put it together."""
    parts = []
    for a, b, weight in zip(one, other, weights, strict=True):
        layer = theirs.NetLinLayer(len(weight)).double()
        layer.model[0].weight.data = torch.from_numpy(weight.astype(np.float64)).view(1, -1, 1, 1)
        apart = theirs._normalize_tensor(torch.from_numpy(a)) - theirs._normalize_tensor(torch.from_numpy(b))
        parts.append(theirs._spatial_average(layer(apart**2)))
    return sum(parts).flatten().detach().numpy()


@pytest.mark.parametrize("weights", [learnt_weights(), [np.ones(width) for width in WIDTHS]], ids=["learnt", "ones"])
def test_lpips_is_that_of_torchmetrics_on_the_same_maps(weights):
    one, other = maps_of(4, 0), maps_of(4, 1)
    found = lpips(one, other, weights)
    assert found == pytest.approx(by_torchmetrics(one, other, weights), rel=1e-6)
    between = lpips_between(one, other, weights)
    assert np.diag(between) == pytest.approx(found, rel=1e-9)
    assert between[0, 2] == pytest.approx(lpips([each[:1] for each in one], [each[2:3] for each in other], weights)[0])


def test_lpips_worked_by_hand():
    """One position and two channels: (3, 4) is (.6, .8) of unit length, (1, 0) itself; differences .4² and .8²."""
    one, other = np.array([3.0, 4.0]).reshape(1, 2, 1, 1), np.array([1.0, 0.0]).reshape(1, 2, 1, 1)
    assert lpips([one], [other])[0] == pytest.approx(0.16 + 0.64, rel=1e-6)
    assert lpips([one], [other], [np.array([10, 1])])[0] == pytest.approx(1.6 + 0.64, rel=1e-6)
    assert lpips([one], [5 * one])[0] == pytest.approx(0, abs=1e-8), "length does not count"


def test_what_is_no_stack_of_maps_is_refused():
    maps = maps_of(2, 0)
    for weights in ([np.ones(64)], [np.ones(3) for _ in WIDTHS], [-np.ones(width) for width in WIDTHS]):
        with pytest.raises(DataError):
            lpips(maps, maps, weights)
    with pytest.raises(DataError):
        lpips([maps[0][0]], [maps[0][0]])


def test_ic_lpips_worked_by_hand():
    """Pictures 0, 1, 2 are nearest to training picture 0, pictures 3, 4 to 1, picture 5 alone to 2."""
    to_training = np.array([[1, 5, 5], [1, 5, 5], [2, 5, 5], [5, 1, 5], [5, 2, 5], [9, 9, 1]])
    among = np.abs(np.subtract.outer([0, 1, 3, 10, 14, 50], [0, 1, 3, 10, 14, 50]))
    found = ic_lpips(to_training, among)
    assert found.distance == pytest.approx(((1 + 3 + 2) / 3 + 4) / 2)
    assert found.clusters == 2
    copies = ic_lpips(to_training, np.zeros((6, 6)))
    assert copies.distance == 0
    assert np.isnan(ic_lpips(to_training[3:4], np.zeros((1, 1))).distance)
    assert mean_of_pairs(among[:3, :3]) == pytest.approx(2)
    with pytest.raises(DataError):
        ic_lpips(to_training, among[:3, :3])


def test_kid_of_all_is_kid_and_its_error_is_that_of_repeated_draws():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(30, 4)), rng.normal(size=(30, 4)) + 0.5
    assert kid_of_all(real, made).value == pytest.approx(kid(real, made, rng)[0])
    draws = [kid_of_all(rng.normal(size=(30, 4)), rng.normal(size=(20, 4)) + 0.5) for _ in range(300)]
    scatter = np.std([each.value for each in draws])
    assert np.median([each.error for each in draws]) == pytest.approx(scatter, rel=0.35)


def test_the_error_of_kid_is_the_jackknife_s():
    rng = np.random.default_rng(1)
    sets = [rng.normal(size=(6, 3)), rng.normal(size=(5, 3)) + 1]
    whole, variance = kid_of_all(*sets).value, 0.0
    for which, rows in enumerate(sets):
        left = [np.delete(rows, number, 0) for number in range(len(rows))]
        values = [kid_of_all(*(each if place == which else sets[place] for place in (0, 1))).value for each in left]
        variance += (len(rows) - 1) / len(rows) * sum((value - whole) ** 2 for value in values)
    assert kid_of_all(*sets).error == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 1)])
def test_similarity_is_one_exactly_where_nothing_changed(dtype, channels):
    rng = np.random.default_rng(0)
    bare = rng.integers(0, np.iinfo(dtype).max, (60, 70, channels), dtype, endpoint=True)
    mask = np.zeros((60, 70), bool)
    mask[20:30, 30:36] = True
    made = bare.copy()
    made[18:32, 28:38] = rng.integers(0, 200, (14, 10, channels))
    assert ssim_outside(bare, made, mask, gap_px=2) == 1.0
    assert error_outside(bare, made, mask, gap_px=2) == 0.0
    assert ssim_outside(bare, made, mask, gap_px=0) < 1
    assert error_outside(bare, made, mask, gap_px=0) > 0
    assert ssim(bare, made) < ssim(bare, bare) == 1
    assert np.isnan(ssim_outside(bare, made, np.ones_like(mask)))


def test_similarity_is_that_of_scikit_image_and_of_the_paper_s_formula():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (40, 40, 3), np.uint8)
    other = np.clip(one.astype(int) + rng.integers(-40, 40, one.shape), 0, 255).astype(np.uint8)
    wanted = structural_similarity(
        one, other, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(one, other) == pytest.approx(wanted)
    flat, lighter = (np.full((30, 30, 1), level, np.uint8) for level in (100, 120))
    constant = (0.01 * 255) ** 2
    wanted = (2 * 100 * 120 + constant) / (100**2 + 120**2 + constant)
    assert ssim_map(flat, lighter)[REACH_PX, REACH_PX] == pytest.approx(wanted)


def test_pictures_that_cannot_be_compared_are_refused():
    one = np.zeros((30, 30, 1), np.uint8)
    for other in (one[:20], one.astype(np.uint16), one[..., 0]):
        with pytest.raises(DataError):
            ssim_map(one, other)
    with pytest.raises(DataError):
        ssim_map(one[:10], one[:10])
