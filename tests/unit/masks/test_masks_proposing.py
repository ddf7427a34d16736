"""Masks read off against defect-free pictures."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.masks.proposing import above, difference, fit_level, nearest


def picture(seed: int, slope: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ground = rng.normal(0.5, 0.02, (32, 32, 1))
    return (ground + slope * np.linspace(-1, 1, 32)[:, None, None]).astype(np.float32)


def with_spot(seed: int, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((32, 32), bool)
    mask[10:18, 12:20] = True
    return np.where(mask[..., None], picture(seed, slope) - np.float32(0.3), picture(seed, slope)), mask


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_the_nearest_picture_is_the_one_in_the_same_light():
    goods = [picture(seed, slope) for seed, slope in enumerate((-0.2, 0.0, 0.2))]
    assert [nearest(with_spot(9, slope)[0], goods) for slope in (-0.2, 0.0, 0.2)] == [0, 1, 2]


@pytest.mark.parametrize("marked", [True, False])
def test_a_spot_is_found_whether_or_not_masks_were_there_to_measure_on(marked):
    goods = [picture(seed) for seed in range(4)]
    usual = [difference(goods[0], goods[1]), difference(goods[2], goods[3])]
    real = [with_spot(seed) for seed in (10, 11)]
    differing = [(difference(each, goods[0]), mask) for each, mask in real] if marked else []
    level = fit_level(differing, usual)
    new, mask = with_spot(20)
    assert overlap(above(difference(new, goods[0]), level.value), mask) > 0.7
    assert (level.agreement is None) != marked
    if marked:
        assert level.agreement > 0.7


def test_where_nothing_differs_nothing_is_proposed():
    assert not above(difference(picture(0), picture(0)), 0.01).any()


def test_specks_are_left_out_and_holes_filled():
    values = np.zeros((32, 32), np.float32)
    values[4:20, 4:20] = 1
    values[10:12, 10:12] = 0
    values[28, 28] = 1
    found = above(values, 0.5)
    assert found[4:20, 4:20].all()
    assert found.sum() == 256


def test_without_anything_to_measure_on_it_says_what_is_missing():
    with pytest.raises(DataError, match="add good images"):
        fit_level([], [])
