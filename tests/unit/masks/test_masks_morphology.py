"""Boxes, growing, feathering, pasting and clustering of masks, against brute force and exact cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from flawsmith.core.geometry import Window
from flawsmith.masks.morphology import clusters, dilate, extent_px, feather, paste, tight


def speckle(seed: int, hw: tuple[int, int] = (23, 31), share: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = rng.random(hw) < share
    mask[rng.integers(hw[0]), rng.integers(hw[1])] = True
    return mask


def distances(mask: np.ndarray) -> np.ndarray:
    """The distance of every pixel to the nearest True one, one pair at a time."""
    everywhere = np.argwhere(np.ones_like(mask))
    return cdist(everywhere, np.argwhere(mask)).min(1).reshape(mask.shape)


def rectangle(hw: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(hw, bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def test_the_tight_window_of_known_masks():
    assert tight(rectangle((10, 12), (2, 3, 5, 9))) == Window(2, 3, 5, 9)
    assert tight(rectangle((10, 12), (0, 0, 1, 1), (9, 11, 10, 12))) == Window(0, 0, 10, 12)
    assert extent_px(rectangle((10, 12), (2, 3, 5, 9))) == 6
    assert extent_px(np.zeros((10, 12), bool)) == 0


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_the_tight_window_holds_everything_and_each_side_touches(seed):
    mask = speckle(seed)
    cut = tight(mask).cut(mask)
    assert cut.sum() == mask.sum()
    assert all(side.any() for side in (cut[0], cut[-1], cut[:, 0], cut[:, -1]))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.0, 1.0, 1.5, 2.9, 7.0, 60.0]))
def test_growing_is_the_euclidean_distance(seed, radius):
    mask = speckle(seed)
    before = mask.copy()
    assert np.array_equal(dilate(mask, radius), distances(mask) <= radius)
    assert np.array_equal(mask, before)


def test_growing_nothing_gives_nothing():
    assert not dilate(np.zeros((5, 5), bool), 3).any()


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), core=st.sampled_from([0.0, 1.0, 2.5]), width=st.sampled_from([0.5, 2.0, 6.0]))
def test_the_feather_is_1_in_the_core_0_beyond_and_falls_between(seed, core, width):
    mask = speckle(seed, share=0.004)
    weights, distance = feather(mask, core, width), distances(mask)
    assert weights.dtype == np.float32
    assert (weights[distance <= core] == 1).all()
    assert (weights[distance >= core + width] == 0).all()
    between = (distance > core) & (distance < core + width)
    expected = 0.5 + 0.5 * np.cos(np.pi * (distance[between] - core) / width)
    np.testing.assert_allclose(weights[between], expected, atol=1e-6)


def test_the_feather_of_an_empty_mask_is_nothing():
    assert not feather(np.zeros((8, 9), bool), 1, 2).any()


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (7, 8)])
def test_a_pasted_cutout_lies_where_it_is_told(top, left):
    cutout = np.array([[True, False, True], [False, True, False], [True, True, False]])
    pasted = paste(cutout, top, left, (10, 11))
    assert pasted.shape == (10, 11)
    assert pasted.sum() == cutout.sum()
    assert np.array_equal(pasted[top : top + 3, left : left + 3], cutout)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_clusters_are_a_partition(seed):
    mask = speckle(seed, (60, 60), 0.002)
    parts = clusters(mask)
    assert all(part.any() for part in parts)
    assert np.array_equal(np.sum(parts, 0), mask.astype(int))


def test_fragments_stay_together_and_distant_pits_are_two():
    near = rectangle((60, 60), (10, 10, 12, 12), (10, 15, 12, 17))
    far = rectangle((60, 60), (10, 10, 12, 12), (40, 40, 44, 44))
    assert len(clusters(near)) == 1
    assert [int(part.sum()) for part in clusters(far)] == [16, 4]
    assert clusters(np.zeros((5, 5), bool)) == []


def test_a_chain_of_fragments_is_one_crack():
    chain = rectangle((20, 90), *[(10, 3 + 6 * n, 11, 6 + 6 * n) for n in range(14)])
    assert len(clusters(chain)) == 1


def test_what_counts_as_near_grows_with_the_defect():
    gap = 8
    small = rectangle((60, 120), (10, 10, 14, 14), (10, 14 + gap, 14, 18 + gap))
    large = rectangle((60, 120), (10, 10, 14, 60), (10, 60 + gap, 14, 64 + gap))
    assert len(clusters(small)) == 2
    assert len(clusters(large)) == 1
