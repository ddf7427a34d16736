"""What is said of the sizes of classes rests on what was measured."""

import json
from pathlib import Path

import pytest

from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.enough import CURVE, FEW_GROUPS, MEASURED, class_sizes, experience

RESULTS = Path(__file__).parents[3] / "benchmarks/results"


def catalog(**groups):
    entries = [
        Entry(f"{label}/{number}", Path(f"{label}/{number}.png"), label, f"{label}-{number // 2}")
        for label, count in groups.items()
        for number in range(2 * count)
    ]
    return Catalog("x", Path(), "folder", tuple(entries))


def test_classes_are_counted_in_images_and_groups_and_small_ones_named():
    found = {each.label: each for each in class_sizes(catalog(good=4, hole=2, dent=5, crack=FEW_GROUPS))}
    assert list(found) == [GOOD, "crack", "dent", "hole"]
    assert (found["dent"].images, found["dent"].groups) == (10, 5)
    assert {label: each.word.split(":")[0] for label, each in found.items()} == {
        GOOD: "", "crack": "", "dent": "few", "hole": "too few",
    }  # fmt: skip


def test_missing_good_parts_are_named():
    assert class_sizes(catalog(hole=30))[0].word.startswith("too few")


@pytest.mark.parametrize("reached", MEASURED, ids=lambda each: each.data)
def test_what_is_said_to_be_reached_is_what_was_measured(reached):
    rows = [json.loads(line) for line in (RESULTS / "proof.jsonl").read_text(encoding="utf-8").splitlines()]
    mine = [
        row for row in rows
        if (row["dataset"], row["arm"], row["inspector"]) == (reached.data, "real", "unet_small") and "study" not in row
    ]  # fmt: skip
    assert len(mine) >= 3
    for name in ("image_ap", "pixel_ap"):
        assert sum(row[name] for row in mine) / len(mine) == pytest.approx(getattr(reached, name), abs=0.03)
    assert f"{reached.image_ap:.2f}" in experience()


def test_the_learning_curve_that_is_told_is_the_one_measured():
    rows = [json.loads(line) for line in (RESULTS / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    measured = {row["groups_per_class"]: row["pixel_ap"]["mean"] for row in rows if row["dataset"] == "demo"}
    assert dict(CURVE) == pytest.approx(measured, abs=0.005)
    assert "0.74 with 5" in experience()
