"""The mask bank: what it measures, and that new shapes have the sizes of the class, or those wished for."""

import numpy as np
import pytest
from scipy import ndimage

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.records import Defect, Sample
from flawsmith.masks.bank import MaskBank
from flawsmith.masks.drawing import any_turn, draw_shape
from flawsmith.masks.morphology import extent_px, tight
from flawsmith.masks.settings import USER, WARPED, MaskSettings
from flawsmith.masks.shapes import SHAPES


def sample(number: int, label: str, *boxes: tuple[int, int, int, int]) -> Sample:
    mask = np.zeros((100, 120), bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return Sample(f"{label}/{number}", np.full((100, 120, 1), 90, np.uint8), label, (Defect(label, mask),))


def samples() -> list[Sample]:
    pits = [sample(n, "pit", (20 + n, 30, 26 + n, 36 + 2 * n)) for n in range(4)]
    return [*pits, sample(9, "line", (60, 10, 62, 70))]


@pytest.fixture(scope="module")
def bank() -> MaskBank:
    return MaskBank.measure(samples())


def test_it_measures_tight_cutouts_areas_and_places(bank):
    assert bank.labels == ("line", "pit")
    pits = bank.classes["pit"]
    assert pits.areas_px.tolist() == [36, 48, 60, 72]
    assert [cutout.shape for cutout in pits.cutouts] == [(6, 6), (6, 8), (6, 10), (6, 12)]
    assert all(tight(cutout).size_hw == cutout.shape for cutout in pits.cutouts)
    assert pits.centres_yx[0].tolist() == pytest.approx([23 / 100, 33 / 120])


def test_parts_that_lie_apart_are_masks_of_their_own():
    found = MaskBank.measure([sample(0, "pit", (5, 5, 9, 9), (70, 90, 78, 98))])
    assert sorted(found.classes["pit"].areas_px) == [16, 64]


def test_a_group_of_another_order_of_size_is_left_out_and_named(tmp_path):
    shots = [sample(n, "pit", (20, 30, 24, 34 + n)) for n in range(5)]
    huge = [sample(n, "pit", (0, 0, 90, 80 + n)) for n in (10, 11)]
    groups = {each.id: each.id for each in shots} | {each.id: "huge" for each in huge}
    bank = MaskBank.measure([*shots, *huge], groups=groups)
    assert bank.classes["pit"].areas_px.tolist() == [16, 20, 24, 28, 32]
    assert bank.left_out == {"pit": {"huge": pytest.approx(90 * 90.5 / 24, abs=0.1)}}
    bank.save(tmp_path)
    assert MaskBank.load(tmp_path).left_out == bank.left_out
    drawn = MaskBank.measure([*shots, *huge], groups=groups, alone="drawn")
    assert drawn.classes["pit"].areas_px.max() > 7000
    assert not drawn.left_out


def test_groups_and_images_are_drawn_evenly_and_parts_in_proportion_to_their_area():
    shots = [sample(n, "pit", (20, 30, 26, 36)) for n in range(3)]  # one part, photographed three times
    apart = sample(3, "pit", (5, 5, 9, 9), (70, 90, 78, 98))  # 16 and 64 px
    groups = {**{each.id: "one" for each in shots}, apart.id: "other"}
    shares = MaskBank.measure([*shots, apart], groups=groups).classes["pit"].shares
    assert sorted(shares) == pytest.approx([0.1, 1 / 6, 1 / 6, 1 / 6, 0.4])
    masks, rng = MaskBank.measure([*shots, apart], groups=groups).classes["pit"], np.random.default_rng(0)
    assert masks.areas_px[shares.argmax()] == 64
    counts = np.bincount([masks.draw(rng) for _ in range(2000)], minlength=5) / 2000
    assert counts == pytest.approx(shares, abs=0.04)


def test_it_knows_which_borders_of_the_picture_a_mask_touches():
    corner, across, inside = (0, 0, 9, 9), (40, 0, 44, 120), (40, 40, 60, 60)
    masks = [sample(n, "pit", box) for n, box in enumerate((corner, across, inside))]
    touching = MaskBank.measure(masks).classes["pit"].touching
    assert touching.tolist() == [[True, True, False, False], [False, True, False, True], [False] * 4]


def test_places_are_relative_to_the_object():
    def foreground(image: np.ndarray) -> np.ndarray:
        on = np.zeros(image.shape[:2], bool)
        on[20:60, 30:90] = True
        return on

    found = MaskBank.measure([sample(0, "pit", (38, 58, 42, 62))], foreground)
    assert found.classes["pit"].centres_yx[0].tolist() == pytest.approx([0.5, 0.5])


def test_good_samples_add_nothing():
    assert MaskBank.measure([Sample("good/0", np.zeros((9, 9, 1), np.uint8))]).labels == ()


def test_it_is_saved_and_read_back(bank, tmp_path):
    own = np.eye(5, dtype=bool)
    bank.with_user_masks([own]).save(tmp_path)
    back = MaskBank.load(tmp_path)
    assert back.labels == bank.labels
    assert np.array_equal(back.user[0], own)
    for label in bank.labels:
        assert np.array_equal(back.classes[label].areas_px, bank.classes[label].areas_px)
        assert np.array_equal(back.classes[label].centres_yx, bank.classes[label].centres_yx)
        assert np.array_equal(back.classes[label].touching, bank.classes[label].touching)
        assert np.array_equal(back.classes[label].shares, bank.classes[label].shares)
        for one, other in zip(back.classes[label].cutouts, bank.classes[label].cutouts, strict=True):
            assert other.dtype == one.dtype == np.bool_
            assert np.array_equal(one, other)


def drawn(bank: MaskBank, label: str, count: int = 60, **wishes) -> list[np.ndarray]:
    settings = MaskSettings(**wishes)
    return [draw_shape(bank, label, np.random.default_rng(seed), settings) for seed in range(count)]


@pytest.mark.parametrize("source", [WARPED, *SHAPES])
def test_sizes_follow_the_class(bank, source):
    masks = drawn(bank, "pit", sources={source: 1.0})
    areas = np.array([mask.sum() for mask in masks])
    assert all(tight(mask).size_hw == mask.shape for mask in masks)
    assert areas.min() >= 36 * 0.7 / 2
    assert areas.max() <= 72 * 1.4 * 2
    assert np.median(areas) == pytest.approx(54, rel=0.3)
    assert len(set(areas.tolist())) > 5


@pytest.mark.parametrize("source", [WARPED, *SHAPES])
def test_a_wish_for_an_area_is_obeyed(bank, source):
    areas = np.array([mask.sum() for mask in drawn(bank, "pit", sources={source: 1.0}, area_px=(200, 400))])
    assert 200 / 2 <= areas.min() <= areas.max() <= 2 * 400
    assert 200 <= np.median(areas) <= 400


def test_a_procedural_stroke_grows_in_length_with_the_area_wished_for(bank):
    def length(area: float) -> float:
        masks = drawn(bank, "line", 25, sources={"scratch": 1.0}, area_px=(area, area))
        return float(np.median([np.hypot(*mask.shape) for mask in masks]))

    assert length(480) == pytest.approx(2 * length(120), rel=0.2)


def test_warps_keep_area_and_without_turning_the_shape():
    found = MaskBank.measure([sample(0, "line", (30, 10, 34, 90))])
    plain = {"size_jitter": 0.0, "elastic_px": 0.0}
    still = drawn(found, "line", 4, rotate="none", **plain)
    assert all(mask.shape == pytest.approx((4, 80), abs=1) for mask in still)
    turned = drawn(found, "line", 30, rotate="any", **plain)
    assert all(mask.sum() == pytest.approx(320, rel=0.15) for mask in turned)
    assert min(mask.shape[1] for mask in turned) < 50
    square = {mask.shape[0] > mask.shape[1] for mask in drawn(found, "line", 30, rotate="right_angles", **plain)}
    assert square == {False, True}


def test_by_default_masks_keep_the_direction_of_grain():
    found = MaskBank.measure([sample(0, "line", (30, 10, 34, 90))])
    assert all(mask.shape[1] > 70 and mask.shape[0] < 40 for mask in drawn(found, "line", 30, size_jitter=0.0))
    turns = [any_turn(np.random.default_rng(seed), MaskSettings()) for seed in range(200)]
    assert {turn.flip for turn in turns} == {-1.0, 1.0}
    halves = {round(turn.angle / np.pi) for turn in turns}
    assert halves == {0, 1}
    assert max(abs(turn.angle - np.pi * round(turn.angle / np.pi)) for turn in turns) < 0.5


def test_warps_do_not_shrink_what_they_turn():
    found = MaskBank.measure([sample(0, "line", (30, 10, 34, 90))])
    masks = drawn(found, "line", 30, size_jitter=0.0, elastic_px=0.0)
    assert np.median([mask.sum() for mask in masks]) == pytest.approx(320, rel=0.05)


def test_lines_of_two_pixels_keep_their_area(bank):
    areas = [mask.sum() for mask in drawn(bank, "line", 30, size_jitter=0.0)]
    assert np.median(areas) == pytest.approx(120, rel=0.05)


def test_an_elastic_warp_bends_but_keeps_the_extent(bank):
    masks = drawn(bank, "line", 20, size_jitter=0.0, rotate="none", elastic_px=3.0)
    assert len({mask.tobytes() for mask in masks}) == 20
    assert all(mask.sum() == pytest.approx(120, rel=0.6) for mask in masks)
    assert all(extent_px(mask) == pytest.approx(60, rel=0.35) for mask in masks)


def test_thin_lines_stay_in_one_piece():
    found = MaskBank.measure([sample(0, "line", (60, 10, 62, 90))])
    for mask in drawn(found, "line", 20):
        largest = np.bincount(ndimage.label(mask, np.ones((3, 3)))[0].ravel())[1:].max()
        assert largest > 0.8 * mask.sum()


@pytest.mark.parametrize("box", [(30, 30, 31, 31), (30, 30, 31, 70), (30, 30, 70, 31)])
def test_defects_one_pixel_wide_can_be_warped(box):
    found = MaskBank.measure([sample(0, "thin", box)])
    area = found.classes["thin"].areas_px[0]
    assert all(mask.sum() <= max(4, 2 * area) for mask in drawn(found, "thin", 30))


def test_masks_of_ones_own_come_back_as_they_are_or_at_the_size_wished(bank):
    own = np.zeros((20, 20), bool)
    own[3:9, 4:12] = True
    with_own = bank.with_user_masks([own])
    assert all(np.array_equal(mask, np.ones((6, 8), bool)) for mask in drawn(with_own, "pit", 5, sources={USER: 1.0}))
    areas = [mask.sum() for mask in drawn(with_own, "pit", 10, sources={USER: 1.0}, area_px=(150, 150))]
    assert areas == pytest.approx([150] * 10, rel=0.4)


def test_shares_of_sources_are_followed(bank):
    own = np.ones((1, 77), bool)
    masks = drawn(bank.with_user_masks([own]), "pit", 300, sources={USER: 1.0, "spot": 3.0})
    assert np.mean([mask.shape == (1, 77) for mask in masks]) == pytest.approx(0.25, abs=0.08)


def test_the_seed_decides(bank):
    assert all(map(np.array_equal, drawn(bank, "pit", 8), drawn(bank, "pit", 8)))


@pytest.mark.parametrize(
    ("label", "wishes", "message"),
    [
        ("pitt", {}, "did you mean 'pit'"),
        ("pit", {"sources": {"scrach": 1.0}}, "did you mean 'scratch'"),
        ("pit", {"sources": {USER: 1.0}}, "masks of your own"),
        ("pit", {"sources": {WARPED: 0.0}}, "positive share"),
        ("pit", {"sources": {}}, "positive share"),
        ("pit", {"sources": {WARPED: 2.0, "spot": -1.0}}, "positive share"),
        ("pit", {"area_px": (50.0, 20.0)}, "smallest, largest"),
        ("pit", {"area_px": (0.0, 20.0)}, "smallest, largest"),
    ],
)
def test_what_cannot_be_drawn_is_refused(bank, label, wishes, message):
    with pytest.raises(SettingsError, match=message):
        draw_shape(bank, label, np.random.default_rng(0), MaskSettings(**wishes))


def test_an_empty_mask_of_ones_own_is_refused(bank):
    with pytest.raises(DataError, match="empty"):
        bank.with_user_masks([np.zeros((4, 4), bool)])
