"""Likeness to training defects: 1 for a copy however turned or lit, low for another defect."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, rotate
from skimage.draw import disk

from flawsmith.filtering.copies import (
    INNER,
    SHIFT_PX,
    SIDE,
    factor_of,
    likeness,
    likeness_as_laid,
    make_templates,
    similarities,
)


def defect(seed: int, hw: tuple[int, int] = (80, 80), radius: float = 12, channels: int = 1):
    """A disc with smooth structure of its own, on grain."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(hw, bool)
    mask[disk((hw[0] // 2, hw[1] // 2), radius, shape=hw)] = True
    grain = rng.normal(130, 3, hw)
    structure = gaussian_filter(rng.normal(0, 1, hw), 1.5)
    plane = np.where(mask, 90 + 25 * structure / structure.std(), grain)
    return np.repeat(plane.clip(0, 255).astype(np.uint8)[..., None], channels, 2), mask


TEMPLATES = make_templates([defect(number) for number in range(4)])


def test_each_training_defect_is_a_copy_of_itself_alone():
    for number in range(4):
        found = similarities(*defect(number), TEMPLATES)
        assert found.shape == (4,)
        assert found[number] > 0.99
        assert np.delete(found, number).max() < 0.6


@settings(max_examples=16, deadline=None)
@given(quarter=st.integers(0, 3), flip=st.booleans(), gain=st.floats(0.5, 1.2), offset=st.floats(0, 40))
def test_turning_flipping_and_lighting_hide_no_copy(quarter, flip, gain, offset):
    image, mask = defect(2)
    image, mask = (np.rot90(each[:, ::-1] if flip else each, quarter) for each in (image, mask))
    lit = (image * gain + offset).clip(0, 255).astype(np.uint8)
    assert similarities(lit, mask, TEMPLATES)[2] > 0.95


@pytest.mark.parametrize("shift", [(0, SHIFT_PX), (-SHIFT_PX, 0), (2, -2)])
def test_small_shifts_of_the_mask_hide_no_copy(shift):
    image, mask = defect(1)
    assert similarities(image, np.roll(mask, shift, (0, 1)), TEMPLATES)[1] > 0.95


def test_a_copy_on_another_background_or_at_another_place_is_found():
    image, mask = defect(3)
    larger = np.random.default_rng(9).integers(110, 150, (160, 200, 1)).astype(np.uint8)
    there = np.zeros((160, 200), bool)
    there[70:150, 5:85] = mask
    larger[there] = image[mask]
    assert similarities(larger, there, TEMPLATES)[3] > 0.95


@pytest.mark.parametrize("channels", [1, 3])
def test_depth_and_channels_do_not_matter(channels):
    image, mask = defect(0, channels=channels)
    eight = similarities(image, mask, TEMPLATES)
    sixteen = similarities(image.astype(np.uint16) * 257, mask, TEMPLATES)
    np.testing.assert_allclose(eight, sixteen, atol=1e-4)
    assert eight[0] > 0.99


def test_large_defects_are_reduced_and_still_found():
    image, mask = defect(7, (300, 300), 110)
    image = gaussian_filter(image, (6, 6, 0))
    templates = make_templates([(image, mask)])
    assert factor_of(mask) == 5
    assert similarities(image, mask, templates)[0] > 0.98
    assert similarities(np.rot90(image), np.rot90(mask), templates)[0] > 0.95


@pytest.mark.parametrize(("side", "factor"), [(1, 1), (INNER, 1), (INNER + 1, 2), (3 * INNER, 3)])
def test_the_factor_is_the_smallest_that_makes_it_fit(side, factor):
    mask = np.zeros((200, 200), bool)
    mask[10 : 10 + side, 5] = True
    assert factor_of(mask) == factor


def test_templates_are_normalised():
    assert TEMPLATES.pixels.shape == TEMPLATES.masks.shape == (4, SIDE, SIDE)
    np.testing.assert_allclose((TEMPLATES.pixels**2).sum((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(TEMPLATES.pixels.sum((1, 2)), 0, atol=1e-3)
    assert not TEMPLATES.pixels[TEMPLATES.masks == 0].any()


def test_what_has_no_structure_matches_nothing():
    flat, mask = np.full((60, 60, 1), 90, np.uint8), defect(0, (60, 60))[1]
    assert similarities(*defect(0), make_templates([(flat, mask)])).max() == 0
    assert similarities(flat, mask, TEMPLATES).max() < 0.1
    speck = np.zeros((60, 60), bool)
    speck[30, 30] = True
    assert similarities(*defect(0), make_templates([(defect(0, (60, 60))[0], speck)])).max() == 0


def test_no_mask_and_no_templates_are_no_likeness():
    image, mask = defect(0)
    assert not similarities(image, np.zeros_like(mask), TEMPLATES).any()
    assert similarities(image, mask, make_templates([])).shape == (0,)


def ringed(seed: int) -> np.ndarray:
    """A round part without a defect: the same rings in every picture, on grain."""
    rows, columns = np.indices((80, 80)) - 40
    rings = 120 + 50 * np.sin(np.hypot(rows, columns) / 2.5)
    return (rings + np.random.default_rng(seed).normal(0, 3, rings.shape)).clip(0, 255).astype(np.uint8)[..., None]


def scratched(background: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A defect through which the rings of its background show."""
    own, mask = defect(seed)
    change = (own.astype(float) - 90) * 1.6 * mask[..., None]
    return (background + change).clip(0, 255).astype(np.uint8), mask


def test_what_the_bare_part_shares_with_a_training_image_is_no_copying():
    learnt, mask = scratched(ringed(0), 0)
    templates = make_templates([(learnt, mask)])
    bare = ringed(1)
    new, _ = scratched(bare, 7)
    assert similarities(bare, mask, templates)[0] > 0.6  # the part itself is as good as a copy, uncorrected
    assert likeness(bare, bare, mask, templates)[0] == 0
    assert likeness(new, bare, mask, templates)[0] < 0.4


def test_a_defect_pasted_on_another_part_is_a_copy_all_the_same():
    learnt, mask = scratched(ringed(0), 0)
    bare = ringed(1)
    pasted = np.where(mask[..., None], learnt, bare)
    assert likeness(pasted, bare, mask, make_templates([(learnt, mask)]))[0] > 0.95


@settings(max_examples=16, deadline=None)
@given(number=st.integers(0, 30), bare=st.integers(0, 30))
def test_likeness_never_exceeds_what_is_seen_and_stays_between_0_and_1(number, bare):
    image, mask = defect(number)
    background = defect(100 + bare)[0]
    found = likeness(image, background, mask, TEMPLATES)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found <= similarities(image, mask, TEMPLATES) + 1e-9).all()


@pytest.mark.parametrize("large", [1, 3])
def test_a_defect_turned_by_a_few_degrees_hides_from_the_search_but_not_from_what_was_laid(large):
    image, mask = (np.kron(each, np.ones((large, large, 1)[: each.ndim])) for each in defect(0))
    turned = [rotate(each, 25, order=1, reshape=False, mode="nearest") for each in (image, mask.astype(float))]
    shown, round_mask = turned[0].astype(np.uint8), turned[1] > 0.5
    bare = np.random.default_rng(9).normal(130, 3, shown.shape).astype(np.uint8)
    copy = np.where(round_mask[..., None], shown * 0.8, bare).astype(np.uint8)
    new = np.where(round_mask[..., None], np.kron(defect(7)[0], np.ones((large, large, 1))), bare).astype(np.uint8)
    assert likeness(copy, bare, round_mask, TEMPLATES).max() < 0.7
    assert likeness_as_laid(copy, bare, round_mask, shown) > 0.95
    assert likeness_as_laid(new, bare, round_mask, shown) < 0.5
    assert likeness_as_laid(bare, bare, round_mask, shown) == 0
    assert likeness_as_laid(copy, bare, np.zeros_like(round_mask), shown) == 0
