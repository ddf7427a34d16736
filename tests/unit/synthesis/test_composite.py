"""Law 3: outside the feather, pixels equal the background's, exactly, at every depth and in every lossless format."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from flawsmith.core.geometry import Window
from flawsmith.core.records import Painting
from flawsmith.data.image_io import read_image, write_image
from flawsmith.synthesis.composite import CompositeSettings, composite

SETTINGS = CompositeSettings(core_px=1.5, feather_px=2.5)


def case(seed: int, dtype, channels: int):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    image = rng.integers(0, top + 1, (60, 70, channels)).astype(dtype)
    window = Window(8, 20, 48, 60)
    mask = np.zeros((40, 40), bool)
    row, column = rng.integers(2, 25, 2)
    mask[row : row + rng.integers(1, 10), column : column + rng.integers(1, 10)] = True
    painted = rng.integers(0, top + 1, (40, 40, channels)).astype(dtype)
    full = np.zeros((60, 70), bool)
    window.cut(full)[:] = mask
    return image, window, Painting(painted, mask), full


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.uint8, np.uint16]), channels=st.sampled_from([1, 3]))
def test_far_pixels_are_the_backgrounds_and_the_core_is_painted(seed, dtype, channels):
    image, window, painting, full = case(seed, dtype, channels)
    result = composite(image, window, painting, SETTINGS)
    distance = distance_transform_edt(~full)
    reach = SETTINGS.core_px + SETTINGS.feather_px
    outside = np.ones(full.shape, bool)
    window.cut(outside)[:] = False
    assert result.dtype == image.dtype
    assert np.array_equal(result[distance >= reach], image[distance >= reach])
    assert np.array_equal(result[outside], image[outside])
    assert np.array_equal(window.cut(result)[painting.mask], painting.image[painting.mask])


def test_an_empty_mask_changes_nothing_and_the_input_is_left_alone():
    image, window, painting, _ = case(0, np.uint8, 3)
    before = image.copy()
    composite(image, window, painting, SETTINGS)
    assert np.array_equal(image, before)
    nothing = Painting(painting.image, np.zeros_like(painting.mask))
    assert np.array_equal(composite(image, window, nothing, SETTINGS), image)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_keep_the_background_bit_by_bit(tmp_path, suffix, dtype, channels):
    image, window, painting, full = case(3, dtype, channels)
    source, target = tmp_path / f"background{suffix}", tmp_path / f"made{suffix}"
    write_image(source, image)
    write_image(target, composite(read_image(source), window, painting, SETTINGS))
    far = distance_transform_edt(~full) >= SETTINGS.core_px + SETTINGS.feather_px
    back = read_image(target)
    assert back.dtype == dtype
    assert np.array_equal(back[far], image[far])
    assert not np.array_equal(back, image)
