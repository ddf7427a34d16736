"""Every procedural mask shape, through the registry."""

import numpy as np
import pytest
from scipy import ndimage

from flawsmith.masks.morphology import extent_px, tight
from flawsmith.masks.shapes import SHAPES

SIZES = [(1, 1), (6, 3), (30, 12), (30, 30), (150, 20), (400, 80), (3000, 90)]
THIN = ("scratch", "crack")


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("area", "length"), SIZES)
def test_a_shape_is_one_tight_piece_of_about_the_area(name, area, length):
    for seed in range(5):
        mask = SHAPES[name](np.random.default_rng(seed), float(area), float(length))
        assert mask.ndim == 2
        assert mask.dtype == np.bool_
        assert mask.flags["C_CONTIGUOUS"]
        assert tight(mask).size_hw == mask.shape
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        if area >= 30:
            assert area / 2 <= mask.sum() <= 2 * area
        else:
            assert 1 <= mask.sum() <= 4 * area


@pytest.mark.parametrize("name", SHAPES)
def test_the_seed_decides_the_shape(name):
    def draw(seed: int) -> bytes:
        mask = SHAPES[name](np.random.default_rng(seed), 120.0, 40.0)
        return bytes(np.packbits(mask)) + bytes(mask.shape)

    assert draw(3) == draw(3)
    assert len({draw(seed) for seed in range(6)}) > 3


@pytest.mark.parametrize("name", THIN)
def test_strokes_are_as_long_as_asked_and_thin(name):
    masks = [SHAPES[name](np.random.default_rng(seed), 160.0, 80.0) for seed in range(12)]
    extents = [np.hypot(*mask.shape) for mask in masks]
    assert 0.4 * 80 < np.median(extents) < 1.5 * 80
    thickness = [ndimage.distance_transform_edt(np.pad(mask, 1)).max() for mask in masks]
    assert max(thickness) <= 4


def test_a_longer_blob_is_longer_and_a_spot_is_round_whatever_the_length():
    def mean_extent(name: str, length: float) -> float:
        drawn = [SHAPES[name](np.random.default_rng(seed), 300.0, length) for seed in range(12)]
        return float(np.mean([extent_px(mask) for mask in drawn]))

    assert mean_extent("blob", 50) > 1.4 * mean_extent("blob", 18)
    assert mean_extent("spot", 50) == pytest.approx(2 * np.sqrt(300 / np.pi), rel=0.25)
