"""Palettes: uncorrelated colours of equal spread, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.generators.crops.palette import MOST_STRETCH, SPREAD, Palette, measured_palette

HUES = np.array([[1.0, 0.98, 1.02], [0.2, -0.4, 0.2], [0.3, 0.0, -0.3]], np.float32)


def pixels(seed: int, strength: float = 1.0, count: int = 4000) -> np.ndarray:
    """Pixels whose channels say almost the same."""
    return (strength * np.random.default_rng(seed).normal(size=(count, 3)) @ HUES).astype(np.float32)


def test_of_grey_it_is_the_factor_to_a_spread_of_a_half():
    defects = [np.full((9, 1), level, np.float32) for level in (-0.1, 0.2, -0.4)]
    assert measured_palette(defects).seen == pytest.approx(np.array([[SPREAD / 0.2]]))


def test_colours_come_out_uncorrelated_and_equally_strong():
    seen = measured_palette([pixels(0)]).apply(pixels(1))
    moment = seen.T @ seen / len(seen)
    assert moment == pytest.approx(SPREAD**2 * np.eye(3), abs=0.03)


def test_what_hardly_differs_is_not_blown_up_beyond_the_limit():
    grey = np.repeat(np.random.default_rng(0).normal(size=(500, 1)), 3, 1).astype(np.float32)
    palette = measured_palette([grey])
    stretch = np.linalg.norm(palette.seen, axis=1)
    assert stretch / stretch[0] == pytest.approx([1, MOST_STRETCH, MOST_STRETCH])


def test_every_defect_counts_alike_and_the_median_sets_the_spread():
    defects = [pixels(0), pixels(1), pixels(2, 100.0)]
    spread = np.sqrt((measured_palette(defects).apply(defects[0]) ** 2).mean())
    assert spread == pytest.approx(SPREAD, rel=0.05)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.floats(0.01, 10))
def test_the_way_back_is_exact(seed, strength):
    palette = measured_palette([pixels(seed, strength, 50)])
    tones = pixels(seed + 1, strength, 60).reshape(6, 10, 3)
    assert palette.undo(palette.apply(tones)) == pytest.approx(tones, abs=1e-5 * max(1.0, 10 * strength))


def test_the_order_of_defects_changes_hardly_anything_and_signs_are_fixed():
    defects = [pixels(number) for number in range(4)]
    one, other = measured_palette(defects), measured_palette(defects[::-1])
    assert one.seen == pytest.approx(other.seen, rel=1e-4, abs=1e-5)
    assert all(row[np.abs(row).argmax()] > 0 for row in one.seen)


def test_strength_is_the_root_mean_square_of_what_is_seen():
    assert Palette(np.eye(3, dtype=np.float32)).strength(np.full((4, 3), 0.3, np.float32)) == pytest.approx(0.3)
