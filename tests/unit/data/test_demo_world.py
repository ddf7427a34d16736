"""The demo world: exact masks, counts, groups, depth and channels, and the same bytes for the same seed."""

import csv
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import DataError, RegistryError, SettingsError
from flawsmith.core.files import read_json, sha256_tree, write_json
from flawsmith.core.records import GOOD
from flawsmith.core.rng import stream
from flawsmith.core.settings import validated
from flawsmith.data.demo import DEFECTS, DemoSettings, render_defect, render_part, render_shots, write_demo
from flawsmith.data.demo.defects import add_defect
from flawsmith.data.demo.strokes import REACH, trace
from flawsmith.data.demo.surface import draw_scene
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import read_catalog

SMALL = {"size_hw": (64, 72), "good": 3, "per_class": 2, "most_shots": 2}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "set"
    return folder, write_demo(folder, DemoSettings(**SMALL))


@pytest.mark.parametrize("label", DEFECTS)
def test_the_mask_is_where_the_scene_was_changed(label):
    """Before any camera: the defect's mask holds the strongest changes, and nothing that did not change."""
    told = DemoSettings(size_hw=(96, 96), faint_share=0.0)
    for number in range(6):
        rng = stream(0, label, number)
        clean = draw_scene(rng, told)
        flawed = add_defect(clean, label, rng, told)
        assert not clean.mask.any()
        change = np.abs(flawed.radiance / clean.radiance - 1)
        assert flawed.mask.any()
        assert change[flawed.mask].min() > 0
        # A part may carry two of them, of different strength, and a stain's mask follows its cover, not its shade.
        outside = change[~flawed.mask]
        assert outside.max() <= 0.7 * change[flawed.mask].max()
        assert change[flawed.mask].mean() > 8 * outside.mean()


@pytest.mark.parametrize("label", DEFECTS)
def test_the_mask_is_where_the_photograph_differs(label):
    """Through the camera: the pixels under the mask stand out from those just beside it."""
    told, stands_out = DemoSettings(size_hw=(96, 96), faint_share=0.0, turned_share=0.0, channels=1), []
    for number in range(8):
        image, mask = render_defect(label, stream(1, label, number), told)
        assert image.shape == (96, 96, 1)
        assert mask.shape == (96, 96)
        assert mask.dtype == np.bool_
        assert mask.any()
        grey = image[..., 0].astype(float)
        stands_out.append(np.abs(np.median(grey[mask]) - np.median(grey[~mask])) / grey[~mask].std())
    assert np.median(stands_out) > 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), label=st.sampled_from(list(DEFECTS)), shorter=st.sampled_from([32, 48]))
def test_a_defect_is_seen_in_every_shot(seed, label, shorter):
    told = DemoSettings(size_hw=(shorter, 64), most_shots=3, seed=seed)
    for shot in render_shots(label, 0, told):
        assert shot.mask.any()
        assert shot.mask.mean() < 0.6
        assert shot.label == label


def test_a_good_part_has_an_empty_mask():
    shots = list(render_shots(GOOD, 4, DemoSettings(**SMALL)))
    assert shots
    assert not any(shot.mask.any() for shot in shots)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_depth_and_channels_are_as_told(depth, channels, tmp_path):
    told = DemoSettings(size_hw=(40, 56), good=1, per_class=1, most_shots=1, depth=depth, channels=channels)
    dtype = {8: np.uint8, 16: np.uint16}[depth]
    image = render_part(np.random.default_rng(0), told)
    assert (image.shape, image.dtype) == ((40, 56, channels), dtype)
    assert 0.2 < image.mean() / np.iinfo(dtype).max < 0.8
    assert len(np.unique(image)) > 40
    assert depth == 8 or len(np.unique(image)) > 256
    for entry in write_demo(tmp_path / "set", told):
        sample = load_sample(entry)
        assert (sample.image.shape, sample.image.dtype) == ((40, 56, channels), dtype)


def test_sixteen_bits_show_the_same_scene_as_eight():
    eight, sixteen = (render_part(np.random.default_rng(3), DemoSettings(depth=depth)) for depth in (8, 16))
    assert np.abs(sixteen / 65535 - eight / 255).max() <= 0.5 / 255 + 1e-4


def test_counts_labels_groups_and_masks_on_disk_are_as_told(written):
    folder, catalog = written
    assert catalog.defect_labels == tuple(sorted(DEFECTS))
    rows = list(csv.DictReader((folder / "groups.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(catalog)
    parts = {label: {row["group"] for row in rows if row["file"].startswith(f"{label}/")} for label in (GOOD, *DEFECTS)}
    assert {label: len(groups) for label, groups in parts.items()} == {GOOD: 3, **dict.fromkeys(DEFECTS, 2)}
    assert max(Counter(row["group"] for row in rows).values()) <= 2
    assert Counter(entry.group for entry in catalog) == Counter(row["group"] for row in rows)
    for entry in catalog:
        sample = load_sample(entry)
        assert sample.size_hw == (64, 72)
        assert bool(sample.defects) == (entry.label != GOOD)


def test_masks_on_disk_are_the_rendered_ones_pixel_by_pixel(written):
    _, catalog = written
    for label in DEFECTS:
        shots = [shot for number in range(2) for shot in render_shots(label, number, DemoSettings(**SMALL))]
        entries = sorted((entry for entry in catalog if entry.label == label), key=lambda entry: entry.id)
        for shot, entry in zip(shots, entries, strict=True):
            sample = load_sample(entry)
            assert np.array_equal(sample.image, shot.image)
            assert np.array_equal(sample.mask, shot.mask)
            assert entry.group == shot.part


def test_the_seed_decides_every_byte(written, tmp_path):
    folder, _ = written
    write_demo(tmp_path / "again", DemoSettings(**SMALL))
    write_demo(tmp_path / "other", DemoSettings(**SMALL, seed=1))
    again, other, first = (sha256_tree(each) for each in (tmp_path / "again", tmp_path / "other", folder))
    assert again == first
    pictures = [name for name in first if "/images/" in name]
    assert all(other.get(name) != first[name] for name in pictures)


def test_more_parts_leave_the_first_as_they_were(written, tmp_path):
    folder, _ = written
    write_demo(tmp_path / "more", DemoSettings(**{**SMALL, "good": 5}))
    first, more = sha256_tree(folder), sha256_tree(tmp_path / "more")
    kept = [name for name in first if name.endswith(".png")]
    assert kept
    assert all(more[name] == first[name] for name in kept)


def test_shots_of_one_part_differ_and_a_part_does_not_depend_on_the_others():
    told = DemoSettings(size_hw=(48, 48), most_shots=3)
    many = [list(render_shots("crack", number, told)) for number in range(8)]
    assert {len(shots) for shots in many} == {1, 2, 3}
    for shots in many:
        assert len({shot.part for shot in shots}) == 1
        assert len({shot.image.tobytes() for shot in shots}) == len(shots)
    alone = next(iter(render_shots("crack", 5, told)))
    assert np.array_equal(alone.image, many[5][0].image)


def test_a_second_writing_leaves_the_folder_as_it_is(written):
    folder, catalog = written
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_demo(folder, DemoSettings(**SMALL)) == catalog
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert read_catalog(folder) == catalog


def test_an_interrupted_folder_is_written_to_its_end(written, tmp_path):
    folder = tmp_path / "broken"
    write_demo(folder, DemoSettings(**SMALL))
    mark = read_json(folder / ".demo.json")
    write_json(folder / ".demo.json", {**mark, "whole": False})
    (folder / "groups.csv").unlink()
    sorted(folder.rglob("*.png"))[0].unlink()
    write_demo(folder, DemoSettings(**SMALL))
    assert sha256_tree(folder) == sha256_tree(written[0])


def test_a_folder_that_holds_something_else_is_refused(written, tmp_path):
    with pytest.raises(DataError, match="other settings"):
        write_demo(written[0], DemoSettings(**SMALL, seed=5))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"already holds notes\.txt"):
        write_demo(tmp_path, DemoSettings(**SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_class_that_does_not_exist_is_proposed():
    with pytest.raises(DataError, match="did you mean 'scratch'"):
        render_shots("scrach", 0, DemoSettings())
    with pytest.raises(RegistryError, match="did you mean 'stain'"):
        render_defect("stains", np.random.default_rng(0), DemoSettings())


@pytest.mark.parametrize(
    "wrong", [{"depth": 12}, {"channels": 2}, {"size_hw": (16, 64)}, {"good": 0}, {"faint_share": 2}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        validated(DemoSettings, wrong)


def test_faint_defects_change_less():
    def change(faint: float) -> float:
        told, found = DemoSettings(size_hw=(64, 64), faint_share=faint), []
        for number in range(10):
            rng = stream(0, "faint", number)
            clean = draw_scene(rng, told)
            flawed = add_defect(clean, "scratch", rng, told)
            found.append(np.abs(flawed.radiance / clean.radiance - 1).max())
        return float(np.mean(found))

    assert change(1.0) < 0.6 * change(0.0)


def test_strokes_measure_the_distance_to_a_path():
    points = np.array([[5.0, 5.0], [20.0, 5.0], [20.0, 25.0]])
    found = trace(points, (32, 32))
    y, x = np.indices((32, 32)).astype(float)
    across = np.hypot(x - np.clip(x, 5, 20), y - 5)
    down = np.hypot(x - 20, y - np.clip(y, 5, 25))
    expected = np.minimum(across, down)
    near = expected < REACH
    np.testing.assert_allclose(found.distance[near], expected[near], atol=1e-4)
    assert (found.distance[~near] == REACH).all()
    assert found.along[5, 5] == pytest.approx(0)
    assert found.along[25, 20] == pytest.approx(1)
