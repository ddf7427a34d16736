import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.data.image_io import write_mask
from flawsmith.synthesis.own import read_own_masks, read_region


def test_own_masks_are_read_by_name(tmp_path):
    mask = np.zeros((9, 7), bool)
    mask[2:4, 3] = True
    write_mask(tmp_path / "b.png", ~mask)
    write_mask(tmp_path / "a.png", mask)
    first, second = read_own_masks(tmp_path)
    assert np.array_equal(first, mask)
    assert np.array_equal(second, ~mask)


def test_a_folder_without_masks_is_named(tmp_path):
    with pytest.raises(DataError, match=tmp_path.name):
        read_own_masks(tmp_path)


def test_a_region_must_fit_and_hold_something(tmp_path):
    write_mask(tmp_path / "roi.png", np.zeros((9, 7), bool))
    with pytest.raises(DataError, match="empty"):
        read_region(tmp_path / "roi.png", (9, 7))
    with pytest.raises(DataError):
        read_region(tmp_path / "roi.png", (8, 7))
