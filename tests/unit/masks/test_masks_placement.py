"""Where defects go: finding the object, staying on it, following where the class occurs."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.records import Defect, Sample
from flawsmith.masks.bank import MaskBank
from flawsmith.masks.placement import draw_placed, find_foreground, place
from flawsmith.masks.settings import MaskSettings

HW = (90, 130)


def bank_at(row: float = 0.5, column: float = 0.5) -> MaskBank:
    mask = np.zeros((101, 101), bool)
    mask[round(100 * row), round(100 * column)] = True
    return MaskBank.measure([Sample("a", np.zeros((101, 101, 1), np.uint8), "pit", (Defect("pit", mask),))])


def region() -> np.ndarray:
    on = np.zeros(HW, bool)
    on[disk((45, 60), 35, shape=HW)] = True
    return on


CUTOUT = np.ones((7, 11), bool)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), anywhere=st.sampled_from([0.0, 0.2, 1.0]))
def test_a_placed_mask_is_inside_and_on_the_object(seed, anywhere):
    on = region()
    placed = place(CUTOUT, on, bank_at(), "pit", np.random.default_rng(seed), MaskSettings(anywhere=anywhere))
    assert 0 <= placed.top <= HW[0] - 7
    assert 0 <= placed.left <= HW[1] - 11
    assert placed.mask is CUTOUT
    assert on[placed.top : placed.top + 7, placed.left : placed.left + 11].mean() >= 0.95


def places(bank: MaskBank, on: np.ndarray, count: int = 150, **wishes) -> np.ndarray:
    chosen = MaskSettings(**wishes)
    found = [place(CUTOUT, on, bank, "pit", np.random.default_rng(seed), chosen) for seed in range(count)]
    return np.array([(each.top + 3.5, each.left + 5.5) for each in found])


def test_places_follow_where_the_class_occurs():
    everywhere = np.ones(HW, bool)
    found = places(bank_at(0.25, 0.75), everywhere, anywhere=0.0)
    assert found.mean(0) == pytest.approx([0.25 * HW[0], 0.75 * HW[1]], rel=0.05)
    assert (found.std(0) < 0.15 * np.array(HW)).all()


def test_places_move_with_the_object():
    on = np.zeros(HW, bool)
    on[40:80, 70:120] = True
    found = places(bank_at(0.5, 0.5), on, anywhere=0.0)
    assert found.mean(0) == pytest.approx([60, 95], abs=2)


def test_anywhere_is_anywhere():
    found = places(bank_at(0.1, 0.1), np.ones(HW, bool), anywhere=1.0)
    assert found.mean(0) == pytest.approx([45, 65], rel=0.12)
    assert found[:, 1].max() > 100


def test_the_seed_decides_the_place():
    assert np.array_equal(places(bank_at(), region(), 10), places(bank_at(), region(), 10))


def test_masks_that_fit_nowhere_are_refused():
    rng, bank = np.random.default_rng(0), bank_at()
    with pytest.raises(DataError, match="does not fit a picture of 130 x 90"):
        place(np.ones((7, 131), bool), np.ones(HW, bool), bank, "pit", rng, MaskSettings())
    with pytest.raises(DataError, match="does not fit"):
        place(CUTOUT, np.zeros(HW, bool), bank, "pit", rng, MaskSettings())
    narrow = np.zeros(HW, bool)
    narrow[:, 60:66] = True
    with pytest.raises(DataError, match="no place on the object"):
        place(CUTOUT, narrow, bank, "pit", rng, MaskSettings())


def test_a_mask_as_large_as_the_picture_fits_once():
    placed = place(np.ones(HW, bool), np.ones(HW, bool), bank_at(), "pit", np.random.default_rng(0), MaskSettings())
    assert (placed.top, placed.left) == (0, 0)


def photograph(on: np.ndarray, part: float, ground: float, dtype=np.uint8, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    plane = np.where(on, part, ground) + rng.normal(0, 0.01, on.shape)
    top = np.iinfo(dtype).max
    return np.repeat((plane.clip(0, 1) * top).astype(dtype)[..., None], channels, 2)


@pytest.mark.parametrize(("part", "ground"), [(0.7, 0.1), (0.2, 0.9)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("hw", [(200, 240), (700, 901)])
def test_a_part_before_a_plain_background_is_found(part, ground, dtype, channels, hw):
    on = np.zeros(hw, bool)
    on[disk((hw[0] / 2, hw[1] / 2), 0.35 * hw[0])] = True
    found = find_foreground(photograph(on, part, ground, dtype, channels))
    assert found.shape == hw
    assert found.dtype == np.bool_
    assert (found & on).sum() / (found | on).sum() > 0.9


def test_a_hole_in_the_part_belongs_to_it():
    on = np.zeros((200, 240), bool)
    on[disk((100, 120), 70)] = True
    hollow = on.copy()
    hollow[disk((100, 120), 12)] = False
    found = find_foreground(photograph(hollow, 0.7, 0.1))
    assert found[100, 120]


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_picture_of_surface_alone_is_object_everywhere(level):
    assert find_foreground(photograph(np.ones((120, 150), bool), level, level)).all()
    rough = np.random.default_rng(0).integers(0, 256, (120, 150, 3)).astype(np.uint8)
    assert find_foreground(rough).all()


def test_a_small_dark_defect_is_not_the_object():
    defect = np.zeros((200, 240), bool)
    defect[90:100, 100:115] = True
    assert find_foreground(photograph(defect, 0.1, 0.6)).all()


def spoke_bank() -> MaskBank:
    mask = np.zeros((101, 101), bool)
    mask[48:53, 72:96] = True
    return MaskBank.measure([Sample("a", np.zeros((101, 101, 1), np.uint8), "chip", (Defect("chip", mask),))])


def spokes(pose: str, on: np.ndarray, count: int = 40) -> list[tuple[np.ndarray, float]]:
    """Return offsets (y, x) of placed spokes from the middle of `on`, and the angle between spoke and offset."""
    chosen = MaskSettings(pose=pose, size_jitter=0.0, elastic_px=0.0)
    middle = np.array(np.nonzero(on)).mean(1)
    found = []
    for seed in range(count):
        placed = draw_placed(spoke_bank(), "chip", on, np.random.default_rng(seed), chosen)
        points = np.argwhere(placed.mask) + np.array([placed.top, placed.left])
        offset = points.mean(0) - middle
        along = np.linalg.svd(points - points.mean(0))[2][0]
        found.append((offset, float(np.arccos(min(1.0, abs(along @ offset) / np.linalg.norm(offset))))))
    return found


def test_masks_turned_around_a_round_part_keep_their_radius_and_point_as_they_did():
    on = np.zeros((140, 140), bool)
    on[disk((75, 65), 60, shape=on.shape)] = True
    found = spokes("around", on)
    radii = np.array([np.linalg.norm(offset) for offset, _ in found])
    assert radii == pytest.approx(0.337 * 120, rel=0.12)
    assert max(angle for _, angle in found) < np.deg2rad(12)
    directions = np.array([offset for offset, _ in found]) / radii[:, None]
    assert np.linalg.norm(directions.mean(0)) < 0.35


def test_kept_masks_stay_where_they_were():
    on = np.zeros((140, 180), bool)
    on[20:120, 30:130] = True
    offsets = np.array([offset for offset, _ in spokes("kept", on)])
    assert offsets.mean(0) == pytest.approx([0, 33.5], abs=2)
    assert offsets.std(0).max() < 3


def test_mirrored_masks_keep_their_distance_from_the_middle():
    on = np.zeros((140, 180), bool)
    on[20:120, 30:130] = True
    offsets = np.array([offset for offset, _ in spokes("mirrored", on)])
    assert np.abs(offsets[:, 1]) == pytest.approx(33.5, abs=5)
    assert np.abs(offsets[:, 0]) == pytest.approx(0, abs=5)
    assert 5 < (offsets[:, 1] > 0).sum() < 35


def test_a_pose_concerns_training_masks_only():
    on, bank = np.ones(HW, bool), spoke_bank()
    chosen = MaskSettings(pose="kept", sources={"blob": 1.0}, anywhere=1.0)
    rows = [draw_placed(bank, "chip", on, np.random.default_rng(seed), chosen).top for seed in range(30)]
    assert np.std(rows) > 10


def test_a_kept_mask_that_leaves_the_object_is_an_error():
    on = np.zeros((140, 140), bool)
    on[10:130, 10:60] = True
    on[60:80, 125:130] = True
    chosen = MaskSettings(pose="kept", size_jitter=0.0)
    with pytest.raises(DataError, match="does not stay on the object"):
        draw_placed(spoke_bank(), "chip", on, np.random.default_rng(0), chosen)


@pytest.mark.parametrize("pose", ["free", "mirrored"])
def test_what_is_taken_is_not_touched_and_moves_nobody_elses_place(pose):
    on = np.zeros((140, 180), bool)
    on[20:120, 30:130] = True
    taken = np.zeros_like(on)
    taken[:, :75] = True  # the left half, and with it one edge of the object's box
    chosen = MaskSettings(pose=pose, rotate="any", size_jitter=0.0, elastic_px=0.0)
    columns = []
    for seed in range(40):
        with suppress(DataError):
            placed = draw_placed(spoke_bank(), "chip", on, np.random.default_rng(seed), chosen, taken)
            points = np.argwhere(placed.mask) + np.array([placed.top, placed.left])
            assert not taken[tuple(points.T)].any()
            columns.append(points[:, 1].mean())
    assert len(columns) > 10
    assert np.median(columns) == pytest.approx(80 + 33.5, abs=5)


def edge_bank() -> MaskBank:
    mask = np.zeros((101, 101), bool)
    mask[85:101, 30:60] = True
    return MaskBank.measure([Sample("a", np.zeros((101, 101, 1), np.uint8), "break", (Defect("break", mask),))])


@pytest.mark.parametrize("pose", ["kept", "mirrored"])
def test_a_mask_cut_off_by_the_pictures_border_is_cut_off_there_again(pose):
    on, reached = np.ones((140, 180), bool), set()
    for seed in range(40):
        placed = draw_placed(edge_bank(), "break", on, np.random.default_rng(seed), MaskSettings(pose=pose))
        height, width = placed.mask.shape
        assert 0 <= placed.top <= 140 - height
        assert 0 <= placed.left <= 180 - width
        if placed.top == 0:
            reached.add("top")
            assert placed.mask[0].any()
        if placed.top + height == 140:
            reached.add("bottom")
            assert placed.mask[-1].any()
        assert placed.top == 0 or placed.top + height == 140
    assert reached == ({"bottom"} if pose == "kept" else {"top", "bottom"})


def test_a_mask_far_over_the_border_gives_way():
    on = np.zeros((140, 140), bool)
    on[0:140, 0:12] = True  # the object, a narrow strip at the left: kept places lie over the picture's border
    with pytest.raises(DataError, match="does not stay on the object"):
        draw_placed(edge_bank(), "break", on, np.random.default_rng(0), MaskSettings(pose="kept", area_px=(9000, 9001)))


@pytest.mark.parametrize("pose", ["free", "kept"])
def test_a_class_without_masks_is_named(pose):
    with pytest.raises(SettingsError, match="'dent'"):
        draw_placed(edge_bank(), "dent", np.ones(HW, bool), np.random.default_rng(0), MaskSettings(pose=pose))
