"""Windows: inside the image, of the size asked for, as near the centre as can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.geometry import Window, window_around

SIDES = st.tuples(st.integers(1, 60), st.integers(1, 60))
PLACES = st.tuples(st.floats(-50, 100), st.floats(-50, 100))


@settings(max_examples=100)
@given(center=PLACES, size=SIDES, image=SIDES)
def test_a_window_lies_inside_and_has_the_size_where_it_fits(center, size, image):
    window = window_around(center, size, image)
    assert window.size_hw == (min(size[0], image[0]), min(size[1], image[1]))
    assert 0 <= window.top < window.bottom <= image[0]
    assert 0 <= window.left < window.right <= image[1]
    assert window.cut(np.zeros((*image, 3))).shape == (*window.size_hw, 3)


@settings(max_examples=60)
@given(center=PLACES, size=SIDES, image=SIDES)
def test_no_other_window_is_nearer_the_centre(center, size, image):
    window = window_around(center, size, image)
    for axis, (start, length) in enumerate(zip(window[:2], window.size_hw, strict=True)):
        middles = np.arange(image[axis] - length + 1) + length / 2
        assert abs(start + length / 2 - center[axis]) <= np.abs(middles - center[axis]).min() + 1e-9


def test_a_cut_is_a_view():
    image = np.arange(20).reshape(4, 5)
    cut = Window(1, 2, 3, 5).cut(image)
    assert cut.tolist() == [[7, 8, 9], [12, 13, 14]]
    assert np.shares_memory(cut, image)


@pytest.mark.parametrize(("box", "size"), [((0, 0, 1, 1), (1, 1)), ((3, 4, 10, 6), (7, 2))])
def test_sizes_are_height_and_width(box, size):
    assert Window(*box).size_hw == size
