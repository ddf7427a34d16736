"""Splits on hand-made catalogs, and the seal."""

from dataclasses import replace
from pathlib import Path

import pytest

from flawsmith.core.errors import DataError, LeakError
from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.loading import load_catalog, save_catalog
from flawsmith.data.sealed import open_test
from flawsmith.data.splits import SplitSettings, split, summary, write_splits


@pytest.fixture
def made(tmp_path):
    """Return a function that makes a catalog of {(label, group): images}; every file has other bytes."""

    def make(counts, declared=None):
        entries = []
        for (label, group), count in counts.items():
            for number in range(count):
                path = tmp_path / "data" / f"{label}-{group}-{number}.png"
                path.parent.mkdir(exist_ok=True)
                path.write_text(path.name)
                entries.append(Entry(path.stem, path, label, str(group), (), (declared or {}).get((label, group))))
        return Catalog("made", tmp_path / "data", "folder", tuple(entries))

    return make


def groups(part, *labels):
    return {entry.group for entry in (part.labelled(*labels) if labels else part)}


PLAIN = {(GOOD, f"g{n}"): 2 for n in range(10)} | {("hole", f"h{n}"): 3 for n in range(10)}


def test_shares_count_groups(made):
    splits = split(made(PLAIN), SplitSettings())
    assert summary(splits) == [
        {"class": GOOD} | {"train_images": 8, "train_groups": 4} | {"val_images": 2, "val_groups": 1}
        | {"test_images": 10, "test_groups": 5},
        {"class": "hole"} | {"train_images": 12, "train_groups": 4} | {"val_images": 3, "val_groups": 1}
        | {"test_images": 15, "test_groups": 5},
    ]  # fmt: skip


def test_shots_bound_defect_groups_only_and_the_surplus_is_tested(made):
    splits = split(made(PLAIN), SplitSettings(shots=3))
    assert [len(groups(part, "hole")) for part in splits.parts.values()] == [2, 1, 7]
    assert [len(groups(part, GOOD)) for part in splits.parts.values()] == [4, 1, 5]


def test_fewer_shots_are_a_part_of_more(made):
    learnt = [
        groups(splits.train, "hole") | groups(splits.val, "hole")
        for splits in (split(made(PLAIN), SplitSettings(shots=shots)) for shots in (1, 2, 3, 4))
    ]
    assert learnt[0] < learnt[1] < learnt[2] < learnt[3]


def test_a_surplus_set_aside_leaves_the_test_part_as_it_is_without_a_budget(made):
    whole = split(made(PLAIN), SplitSettings())
    for shots in (2, 4):
        found = split(made(PLAIN), SplitSettings(shots=shots, surplus="spare"))
        assert set(found.test) == set(whole.test)
        assert groups(found.train, GOOD) | groups(found.val, GOOD) == groups(whole.train, GOOD) | groups(
            whole.val, GOOD
        )
        assert len(groups(found.train, "hole") | groups(found.val, "hole")) == shots
        assert found.spare.defect_labels == ("hole",)
        learnt = groups(found.train) | groups(found.val) | groups(found.spare)
        assert learnt == groups(whole.train) | groups(whole.val)
        assert sum(len(part) for part in found.parts.values()) == len(made(PLAIN))


def test_a_surplus_of_two_classes_counts_for_both_and_nothing_over_is_said(made):
    counts = {("crack", n): 1 for n in range(8)} | {("hole", n): 1 for n in range(4, 24)}
    counts |= {(GOOD, f"g{n}"): 1 for n in range(4)}
    for seed in range(10):
        found = split(made(counts), SplitSettings(shots=2, surplus="spare", seed=seed))
        sides = [groups(part) for part in found.parts.values()]
        assert sum(len(side) for side in sides) == len(set().union(*sides)), "no group is on two sides"
        tested = {label: len(groups(found.test, label)) for label in ("crack", "hole")}
        assert tested["crack"] >= 4
        assert tested["hole"] >= 10
    for asked in (SplitSettings(surplus="spare"), SplitSettings(shots=99, surplus="spare")):
        with pytest.raises(DataError, match="surplus=spare leaves nothing over"):
            split(made(counts), asked)


def test_the_seal_is_checked_against_the_part_set_aside(made, tmp_path):
    found = split(made(PLAIN), SplitSettings(shots=3, surplus="spare"))
    write_splits(found, tmp_path / "split")
    assert set(open_test(tmp_path / "split")) == set(found.test)
    assert set(load_catalog(tmp_path / "split" / "spare.json")) == set(found.spare)
    twin = found.test.labelled("hole").entries[0]
    save_catalog(tmp_path / "split" / "spare.json", found.spare.with_entries([replace(twin, group="new")]))
    with pytest.raises(LeakError, match=r"spare\.json is the same file"):
        open_test(tmp_path / "split")


def test_the_seed_decides_and_the_order_of_entries_does_not(made):
    catalog = made(PLAIN)
    backwards = catalog.with_entries(reversed(catalog.entries))
    tests = [groups(split(catalog, SplitSettings(seed=seed)).test) for seed in range(6)]
    assert groups(split(backwards, SplitSettings(seed=0)).test) == tests[0]
    assert len({frozenset(each) for each in tests}) > 1


def test_a_group_of_two_classes_counts_for_both(made):
    counts = {("crack", n): 1 for n in range(4)} | {("hole", n): 1 for n in range(2, 12)}
    counts |= {(GOOD, f"g{n}"): 1 for n in range(4)}
    for seed in range(10):
        splits = split(made(counts), SplitSettings(shots=4, seed=seed))
        assert len(groups(splits.train, "crack") | groups(splits.val, "crack")) == 2
        assert len(groups(splits.train, "hole") | groups(splits.val, "hole")) == 4
        assert not groups(splits.test) & (groups(splits.train) | groups(splits.val))


def test_shots_hold_where_rarer_classes_bring_a_class_along(made):
    counts = {(label, f"{label}{n}"): 1 for label in ("a", "b") for n in range(8)}
    counts |= {("c", f"{label}{n}"): 1 for label in ("a", "b") for n in range(5)}
    counts |= {("c", f"c{n}"): 1 for n in range(4)}
    for seed in range(10):
        splits = split(made(counts), SplitSettings(shots=3, seed=seed))
        for label in "abc":
            assert 1 <= len(groups(splits.train, label) | groups(splits.val, label)) <= 3


def test_identical_files_stay_together(made):
    catalog = made(PLAIN)
    twins = [next(entry for entry in catalog if entry.group == group) for group in ("h1", "h5", "g3")]
    for entry in twins:
        entry.image.write_text("the same")
    for seed in range(8):
        parts = split(catalog, SplitSettings(seed=seed)).parts
        assert len({name for name, part in parts.items() if groups(part) & {"h1", "h5", "g3"}}) == 1


def test_first_third_by_file_number(made):
    catalog = made({("hole", "x"): 20, (GOOD, "a"): 6, (GOOD, "b"): 3}, {(GOOD, "a"): "train", (GOOD, "b"): "test"})
    catalog = catalog.with_entries(replace(entry, group=entry.id) for entry in catalog)
    splits = split(catalog, SplitSettings(method="first_third"))
    numbers = {name: [int(e.id.split("-")[-1]) for e in part.labelled("hole")] for name, part in splits.parts.items()}
    assert numbers == {"train": [0, 1, 2, 3, 4], "val": [5], "test": list(range(6, 20))}
    assert [len(part.labelled(GOOD)) for part in splits.parts.values()] == [5, 1, 3]
    assert {entry.split for entry in splits.test.labelled(GOOD)} == {"test"}


def test_declared_parts_are_kept_on_wish(made):
    counts = {(GOOD, f"g{n}"): 1 for n in range(9)} | {("hole", f"h{n}"): 1 for n in range(6)}
    declared = {key: "train" if key[1] in ("g0", "g1", "g2", "g3") else "test" for key in counts}
    catalog = made(counts, declared)
    kept = split(catalog, SplitSettings(respect_declared=True))
    assert groups(kept.test, GOOD) == {"g4", "g5", "g6", "g7", "g8"}
    assert len(groups(kept.test, "hole")) == 3
    mixed = catalog.with_entries(replace(e, group="one") if e.id[:7] in ("good-g0", "good-g8") else e for e in catalog)
    with pytest.raises(DataError, match="'one' lies in the train and in the test"):
        split(mixed, SplitSettings(respect_declared=True))


@pytest.mark.parametrize(("method", "count"), [("grouped", 1), ("first_third", 2)])
def test_too_few_groups_are_an_error(made, method, count):
    catalog = made({("hole", n): 5 for n in range(count)} | {(GOOD, f"g{n}"): 1 for n in range(9)})
    with pytest.raises(DataError, match=rf"'hole' has {count} group.* at least {count + 1}"):
        split(catalog, SplitSettings(method=method))


def test_no_validation_part_on_wish(made):
    assert not len(split(made(PLAIN), SplitSettings(val_share=0)).val)


def test_the_seal(made, tmp_path):
    splits = split(made(PLAIN), SplitSettings())
    out = tmp_path / "split"
    write_splits(splits, out)
    assert load_catalog(out / "train.json") == splits.train
    assert load_catalog(out / "val.json") == splits.val
    assert open_test(out) == splits.test
    image = splits.test.entries[0].image
    before = image.read_text()
    image.write_text("retouched")
    with pytest.raises(DataError, match="changed since the split"):
        open_test(out)
    image.write_text(before)
    splits.val.entries[0].image.write_text(before)
    with pytest.raises(LeakError, match="same file as the test image"):
        open_test(out)


def test_a_group_on_both_sides_breaks_the_seal(made, tmp_path):
    write_splits(split(made(PLAIN), SplitSettings()), tmp_path)
    data = read_json(tmp_path / "train.json")
    data["entries"][0]["group"] = read_json(tmp_path / "sealed/test.json")["catalog"]["entries"][0]["group"]
    write_json(tmp_path / "train.json", data)
    with pytest.raises(LeakError, match="shares the group"):
        open_test(tmp_path)


def test_an_absent_seal_is_an_error(tmp_path):
    with pytest.raises(DataError, match="not a sealed test part"):
        open_test(Path(tmp_path))
