"""Numbers drawn as masks, against other libraries."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import ImageError
from flawsmith.data.image_io import read_mask
from flawsmith.data.rasterise import LONGEST_PX

SIZE_HW = (30, 44)


def drawn(kind, *rows, **more):
    return read_mask(DrawnMask(Path("a.json"), "pit", kind, rows, **more), SIZE_HW)


@pytest.mark.parametrize("seed", range(6))
def test_polygons_enclose_the_pixels_another_library_finds(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    corners_xy = np.stack([22 + 20 * np.cos(angles), 15 + 14 * np.sin(angles)], 1) + rng.uniform(-1, 1, (9, 2))
    mask = drawn("polygons", tuple(corners_xy.ravel().tolist()))
    expected = polygon2mask(SIZE_HW, corners_xy[:, ::-1] - 0.5)
    assert (mask != expected).sum() <= 0.05 * expected.sum()
    assert mask.dtype == np.bool_


def test_pixel_corners_are_exact_and_outlines_are_united():
    left, right = (2.0, 3.0, 10.0, 3.0, 10.0, 9.0, 2.0, 9.0), (8.0, 5.0, 14.0, 5.0, 14.0, 20.0, 8.0, 20.0)
    expected = np.zeros(SIZE_HW, bool)
    expected[3:9, 2:10] = expected[5:20, 8:14] = True
    np.testing.assert_array_equal(drawn("polygons", left, right), expected)
    scale = np.tile([1 / SIZE_HW[1], 1 / SIZE_HW[0]], 4)
    shares = [tuple((np.array(row) * scale).tolist()) for row in (left, right)]
    np.testing.assert_array_equal(drawn("polygons", *shares, relative=True), expected)


def test_what_lies_outside_is_cut_off():
    mask = drawn("polygons", (-20.0, -20.0, 5.0, -20.0, 5.0, 90.0, -20.0, 90.0))
    assert mask[:, :5].all()
    assert not mask[:, 5:].any()
    assert drawn("box", (-5.0, -9.0, 3.0, 2.0)).sum() == 6
    assert not drawn("box", (50.0, 0.0, 60.0, 9.0)).any()
    assert not drawn("box", (-9.0, -9.0, -1.0, -1.0)).any()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_runs_are_what_coco_calls_runs(share):
    mask = np.random.default_rng(1).random(SIZE_HW) < share
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.r_[False, flat, not flat[-1]]))
    counts = [int(each) for each in np.diff(np.r_[0, edges])]
    coded = coco_mask.frPyObjects({"size": list(SIZE_HW), "counts": counts}, *SIZE_HW)
    np.testing.assert_array_equal(coco_mask.decode(coded).astype(bool), mask)
    np.testing.assert_array_equal(drawn("runs", tuple(counts)), mask)


def test_runs_that_end_early_leave_the_rest_outside():
    mask = drawn("runs", (SIZE_HW[0] - 1, 2))
    assert mask[-1, 0]
    assert mask[0, 1]
    assert mask.sum() == 2


def test_boxes_are_filled_and_never_vanish_between_pixels():
    assert drawn("box", (3.0, 4.0, 7.0, 6.0))[4:6, 3:7].all()
    assert drawn("box", (3.0, 4.0, 7.0, 6.0)).sum() == 8
    assert drawn("box", (3.4, 4.0, 3.45, 6.0)).sum() == 2
    assert drawn("box", (0.0, 0.0, 0.5, 0.5), relative=True).sum() == SIZE_HW[0] * SIZE_HW[1] // 4


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (DrawnMask(Path("a.json"), "pit", "box", ((0.0, 0.0, 1.0, 1.0),), size_hw=(44, 30)), "image of 30 x 44"),
        (DrawnMask(Path("a.json"), "pit", "runs", ((30 * 44, 1),)), "runs of 1321 pixels"),
        (
            DrawnMask(Path("a.json"), "pit", "polygons", ((0.0, 0.0, LONGEST_PX, 0.0, 5.0, 5.0),)),
            "outlines of more than",
        ),
    ],
)
def test_numbers_for_another_image_are_refused(mask, message):
    with pytest.raises(ImageError, match=message) as error:
        read_mask(mask, SIZE_HW)
    assert str(error.value).startswith("a.json")
    assert "44 x 30" in str(error.value)
