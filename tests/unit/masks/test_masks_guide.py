"""The guide vector: exact cases, ranges, what turning does, and the table that wishes are drawn from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk
from skimage.measure import regionprops

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import Defect, Sample
from flawsmith.masks.guide import FREE, GUIDE, GuideTable, measure_guide, shape_guide


def line(hw: tuple[int, int] = (41, 41), kind: str = "horizontal") -> np.ndarray:
    mask = np.zeros(hw, bool)
    if kind == "horizontal":
        mask[20, 5:36] = True
    elif kind == "vertical":
        mask[5:36, 20] = True
    else:
        mask[np.arange(5, 36), np.arange(5, 36)] = True
    return mask


def round_mask(radius: float = 10) -> np.ndarray:
    mask = np.zeros((41, 41), bool)
    mask[disk((20, 20), radius)] = True
    return mask


def ellipse(turn: float, hw: tuple[int, int] = (81, 81)) -> np.ndarray:
    y, x = np.indices(hw) - 40
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return np.hypot(along / 30, across / 8) <= 1


@pytest.mark.parametrize(("side", "size"), [(1, -1.0), (32, 0.0), (16, -0.2)])
def test_size_is_the_logarithm_of_the_side(side, size):
    mask = np.zeros((64, 64), bool)
    mask[:side, :side] = True
    assert shape_guide(mask)["size"] == pytest.approx(size)


def test_a_line_is_long_and_knows_its_direction_and_a_disc_is_round():
    across, down, aslant = (shape_guide(line(kind=kind)) for kind in ("horizontal", "vertical", "diagonal"))
    assert min(each["elongation"] for each in (across, down, aslant)) > 0.9
    assert across["orientation_cos2"] > 0.9
    assert down["orientation_cos2"] < -0.9
    assert aslant["orientation_sin2"] > 0.9
    assert abs(aslant["orientation_cos2"]) < 0.05
    assert shape_guide(round_mask())["elongation"] == pytest.approx(0, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(turn=st.floats(-1.5, 1.5))
def test_the_axis_is_the_one_scikit_image_finds(turn):
    mask = ellipse(turn)
    found = shape_guide(mask)
    region = regionprops(mask.astype(int))[0]
    assert found["elongation"] == pytest.approx(1 - region.axis_minor_length / region.axis_major_length, abs=0.01)
    # regionprops measures from the rows' axis, counter-clockwise; ours from the columns', downwards.
    angle = np.pi / 2 - region.orientation
    assert found["orientation_cos2"] == pytest.approx(found["elongation"] * np.cos(2 * angle), abs=0.02)
    assert found["orientation_sin2"] == pytest.approx(found["elongation"] * np.sin(2 * angle), abs=0.02)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_a_quarter_turn_only_flips_the_orientation(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((12, 17)) < 0.3
    mask[3, 4] = True
    image = rng.integers(0, 256, (12, 17, 3)).astype(np.uint8)
    before, after = measure_guide(image, mask), measure_guide(np.rot90(image), np.rot90(mask))
    for name in ("contrast", "roughness", "size", "elongation"):
        assert after[name] == pytest.approx(before[name], abs=1e-5)
    for name in ("orientation_cos2", "orientation_sin2"):
        assert after[name] == pytest.approx(-before[name], abs=1e-6)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from([np.uint8, np.uint16]), channels=st.sampled_from([1, 3]))
def test_every_measure_is_named_and_in_range(seed, dtype, channels):
    rng = np.random.default_rng(seed)
    hw = tuple(int(side) for side in rng.integers(1, 40, 2))
    mask = rng.random(hw) < rng.random()
    mask[rng.integers(hw[0]), rng.integers(hw[1])] = True
    top = np.iinfo(dtype).max
    found = measure_guide(rng.integers(0, top, (*hw, channels), endpoint=True).astype(dtype), mask)
    assert tuple(found) == GUIDE
    assert all(np.isfinite(value) and -1 <= value <= 1 for value in found.values())
    assert found["elongation"] >= 0


def test_contrast_is_four_times_the_step_at_every_depth():
    mask = round_mask()
    for dtype in (np.uint8, np.uint16):
        top = np.iinfo(dtype).max
        image = np.full((41, 41, 1), round(0.6 * top), dtype)
        image[mask] = round(0.5 * top)
        assert measure_guide(image, mask)["contrast"] == pytest.approx(-0.4, abs=0.01)
        assert measure_guide(top - image, mask)["contrast"] == pytest.approx(0.4, abs=0.01)


def test_roughness_says_whether_the_inside_is_rougher():
    rng, mask = np.random.default_rng(0), round_mask()
    image = rng.normal(128, 5, (41, 41, 1))
    rough, smooth = image.copy(), image.copy()
    rough[mask] = rng.normal(128, 40, (int(mask.sum()), 1))
    smooth[mask] = 128
    found = [measure_guide(each.clip(0, 255).astype(np.uint8), mask)["roughness"] for each in (smooth, image, rough)]
    assert found[0] < -0.3
    assert found[1] == pytest.approx(0, abs=0.08)
    assert found[2] == pytest.approx(np.log2(8) / 4, abs=0.15)


def test_an_empty_mask_is_refused():
    with pytest.raises(SettingsError, match="empty mask"):
        measure_guide(np.zeros((5, 5, 1), np.uint8), np.zeros((5, 5), bool))


def table() -> GuideTable:
    rng = np.random.default_rng(0)
    image = rng.integers(90, 110, (80, 80, 1)).astype(np.uint8)
    two = np.zeros((80, 80), bool)
    two[5:10, 5:10] = two[60:70, 60:70] = True
    image[two] = 60
    one = np.zeros((80, 80), bool)
    one[40, 10:70] = True
    return GuideTable.measure([Sample("a", image, "pit", (Defect("pit", two), Defect("line", one)))])


def test_parts_that_lie_apart_count_each_and_json_keeps_the_table(tmp_path):
    found = table()
    assert {label: len(rows) for label, rows in found.rows.items()} == {"line": 1, "pit": 2}
    write_json(tmp_path / "guides.json", found.to_json())
    assert GuideTable.from_json(read_json(tmp_path / "guides.json")) == found


def test_draws_are_seeded_stay_near_a_training_defect_and_obey_wishes():
    found = table()
    drawn = [found.draw("pit", np.random.default_rng(seed)) for seed in range(40)]
    assert found.draw("pit", np.random.default_rng(7)) == drawn[7]
    sizes = {row["size"] for row in found.rows["pit"]}
    assert {each["size"] for each in drawn} == sizes
    near = [min(abs(each["contrast"] - row["contrast"]) for row in found.rows["pit"]) for each in drawn]
    assert 0 < max(near) < 0.25
    for name in FREE:
        assert found.draw("pit", np.random.default_rng(1), {name: 0.123})[name] == 0.123


@pytest.mark.parametrize("name", sorted(set(GUIDE) - set(FREE)))
def test_what_follows_from_the_mask_cannot_be_wished_for(name):
    with pytest.raises(SettingsError, match=name):
        table().draw("pit", np.random.default_rng(0), {name: 0.0})


def test_a_misspelt_wish_is_proposed():
    with pytest.raises(SettingsError, match="did you mean 'contrast'"):
        table().draw("pit", np.random.default_rng(0), {"contrats": 0.0})
