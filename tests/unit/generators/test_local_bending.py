"""Bending one mask into another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from flawsmith.generators.local.bending import bend
from flawsmith.masks.drawing import Turn, warp
from flawsmith.masks.settings import MaskSettings

SIDE = 64


def placed(cutout: np.ndarray) -> np.ndarray:
    """The cutout in the middle of a canvas."""
    canvas, (height, width) = np.zeros((SIDE, SIDE), bool), cutout.shape
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas[top : top + height, left : left + width] = cutout
    return canvas


def crack() -> np.ndarray:
    """A line of two pixels with a branch."""
    rows, columns = np.indices((44, 24))
    spine = np.abs(columns - 8 - 4 * np.sin(rows / 9)) < 1
    branch = (np.abs(columns - rows / 2 - 2) < 1) & (rows > 14) & (rows < 38)
    return spine | branch


def seen(shown: np.ndarray, field: np.ndarray) -> np.ndarray:
    return map_coordinates(shown.astype(float), np.indices(shown.shape) + field, order=1) > 0.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_bent_line_meets_the_mask_it_was_bent_to(seed):
    told = MaskSettings(elastic_px=1.5)
    shown = placed(crack())
    wanted = placed(warp(crack(), crack().sum(), np.random.default_rng(seed), told, Turn(0.0, 1.0)))
    before, after = overlap(shown, wanted), overlap(seen(shown, bend(shown, wanted, 1.5)), wanted)
    assert after > max(0.6, before)


def test_what_lies_right_is_left_alone():
    shown = placed(crack())
    assert np.abs(bend(shown, shown, 1.5)).max() < 1e-6


@pytest.mark.parametrize(("down", "right"), [(3, 0), (0, -4), (-2, 3)])
def test_a_moved_disc_is_found_where_it_went(down, right):
    rows, columns = np.indices((SIDE, SIDE)) - SIDE // 2
    shown = rows**2 + columns**2 < 100
    wanted = np.roll(shown, (down, right), (0, 1))
    field = bend(shown, wanted, 3.0)
    assert overlap(seen(shown, field), wanted) > 0.95
    assert field[:, wanted].mean(1) == pytest.approx((-down, -right), abs=0.7)


def test_an_empty_mask_bends_nothing():
    shown = placed(crack())
    for pair in ((shown, shown & False), (shown & False, shown)):
        assert not bend(*pair, 1.5).any()
