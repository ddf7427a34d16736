from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsmith.core.symmetry import View, draw_view

VIEWS = st.builds(View, st.sampled_from((1, -1)), st.sampled_from((1, -1)), st.booleans())
PICTURE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize(("symmetry", "expected"), [("none", 1), ("mirror", 4), ("square", 8)])
def test_every_view_of_a_symmetry_is_drawn_and_no_other(symmetry, expected):
    rng = np.random.default_rng(0)
    views = [draw_view(symmetry, rng) for _ in range(400)]
    assert len({view.of(PICTURE).tobytes() + bytes([view.swapped]) for view in views}) == expected
    assert any(view.swapped for view in views) == (symmetry == "square")


@given(view=VIEWS, row=st.integers(0, 2), column=st.integers(0, 3))
def test_the_matrix_moves_places_as_the_view_moves_pixels(view, row, column):
    seen = view.of(PICTURE)
    moved = view.matrix @ (np.array([row, column]) - (np.array(PICTURE.shape) - 1) / 2)
    place = np.rint(moved + (np.array(seen.shape) - 1) / 2).astype(int)
    assert seen[tuple(place)] == PICTURE[row, column]


@given(view=VIEWS)
def test_channels_stay_together(view):
    colour = np.stack([PICTURE, PICTURE + 100], 2)
    np.testing.assert_array_equal(view.of(colour)[..., 1], view.of(PICTURE) + 100)
