"""The readers, checks and splits on real photographs."""

from collections import Counter

import pytest

from flawsmith.core.records import GOOD
from flawsmith.data.checks import check
from flawsmith.data.loading import identical_files, load_sample
from flawsmith.data.lookalikes import join_groups
from flawsmith.data.readers import read_catalog
from flawsmith.data.sealed import open_test
from flawsmith.data.splits import SplitSettings, split, summary, write_splits

pytestmark = pytest.mark.real

SAME_TILE = [
    {"12", "13", "15", "16"}, {"24", "25"}, {"34", "35", "36"}, {"46", "52"}, {"49", "50"}, {"57", "58"},
    {"60", "61", "62", "63", "64"}, {"119", "120"}, {"123", "124"}, {"129", "130"}, {"169", "170"},
]  # fmt: skip
"""Groups of groups.csv that show one tile, photographed again: each pair was looked at."""


def opened(real_data, name, **how):
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in {real_data}")
    return read_catalog(real_data / name, **how)


@pytest.fixture(scope="module")
def tiles(real_data):
    return opened(real_data, "magnetic_tile")


def test_magnetic_tile_is_read(tiles):
    assert tiles.layout == "pairs"
    counts = {"Blowhole": 115, "Break": 85, "Crack": 57, "Fray": 32, "Uneven": 103, GOOD: 952}
    assert Counter(entry.label for entry in tiles) == counts
    assert len({entry.group for entry in tiles}) == 224
    assert all(len(entry.masks) == (entry.label != GOOD) for entry in tiles)


def test_magnetic_tile_problems_are_the_known_ones(tiles):
    problems = check(tiles)
    empty = {problem.file.stem for problem in problems if problem.kind == "empty_mask"}
    assert empty == {"exp3_num_45042", "exp4_num_124690", "exp4_num_352527", "exp4_num_45057"}
    masks = {"empty_mask": 4, "soft_mask": 5}
    assert Counter(problem.kind for problem in problems) == {
        **masks,
        "mixed_group": 14,
        "near_duplicate": len(SAME_TILE),
    }
    group_of = {entry.image: entry.group for entry in tiles}
    near = [problem for problem in problems if problem.kind == "near_duplicate"]
    alike = [{group_of[path] for path in (problem.file, *problem.others)} for problem in near]
    assert sorted(map(sorted, alike)) == sorted(map(sorted, SAME_TILE))


def test_an_empty_real_mask_leaves_the_class_only(tiles):
    entry = next(entry for entry in tiles if entry.image.stem == "exp3_num_45042")
    sample = load_sample(entry)
    assert (sample.label, sample.defects, len(entry.masks)) == ("Uneven", (), 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_magnetic_tile_splits_without_a_leak(tiles, seed, tmp_path):
    catalog = tiles.labelled(GOOD, "Blowhole", "Crack", "Break")
    splits = split(catalog, SplitSettings(shots=10, seed=seed))
    sides = [{entry.group for entry in part} for part in splits.parts.values()]
    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & sides[2]
    for row in summary(splits):
        learnt = row["train_groups"] + row["val_groups"]
        assert row["class"] == GOOD or (learnt <= 10 and 1 <= row["val_groups"] <= 3 and row["test_groups"] >= 5)
    write_splits(splits, tmp_path)
    assert len(open_test(tmp_path)) == len(splits.test)


def test_bottle_as_peers_split_it(real_data, tmp_path):
    bottle = opened(real_data, "mvtec_bottle")
    assert bottle.layout == "mvtec"
    counts = {GOOD: 229, "broken_large": 20, "broken_small": 22, "contamination": 21}
    assert Counter(entry.label for entry in bottle) == counts
    assert all(len(entry.masks) == (entry.label != GOOD) for entry in bottle)
    (note,) = check(bottle)
    assert (note.kind, note.severity) == ("probable_groups", "note")
    assert {path.stem for path in note.others} == {"069", "070", "156", "158"}, "two bottles, each twice: looked at"
    splits = split(bottle, SplitSettings(method="first_third"))
    rows = {row["class"]: (row["train_images"] + row["val_images"], row["test_images"]) for row in summary(splits)}
    assert rows == {GOOD: (209, 20), "broken_large": (6, 14), "broken_small": (7, 15), "contamination": (7, 14)}
    assert {entry.image.stem for entry in splits.train.labelled("broken_large")} == {f"{n:03}" for n in range(5)}
    write_splits(splits, tmp_path)
    assert len(open_test(tmp_path)) == 63


def test_the_known_twins_of_neu_stay_together(real_data):
    steel = opened(real_data, "neu_900")
    (twins,) = identical_files(steel)
    assert {entry.id for entry in twins} == {"patches/patches_101", "patches/patches_105"}
    for seed in range(3):
        parts = split(steel, SplitSettings(seed=seed)).parts.values()
        assert sorted(len({entry.id for entry in part} & {twin.id for twin in twins}) for part in parts) == [0, 0, 2]


def shared(catalog):
    """The sets of groups that were joined."""
    before = {entry.id: entry.group for entry in catalog}
    found = {}
    for entry in join_groups(catalog):
        found.setdefault(entry.group, set()).add(before[entry.id])
    return [names for names in found.values() if len(names) > 1]


def test_tiles_taken_again_under_another_group_are_joined(tiles):
    joined = shared(tiles)
    assert all(any(names <= known for known in (*SAME_TILE, {"219", "221"})) for names in joined)
    assert {"60", "61", "62", "63", "64"} in joined, "one crack, five times"
    assert len(joined) >= 8


def test_steel_photographed_twice_is_found_even_turned_by_a_quarter(real_data):
    steel = opened(real_data, "neu_900", layout="folder")
    assert shared(steel) == [
        {"inclusion/inclusion_188", "inclusion/inclusion_210"},
        {"patches/patches_101", "patches/patches_105"},
        {"scratches/scratches_232", "scratches/scratches_247"},
    ]


def test_two_pictures_of_one_bottle_are_found_and_no_other(real_data):
    assert shared(opened(real_data, "mvtec_bottle")) == [{"train/good/069", "train/good/070"}]
