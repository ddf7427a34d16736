"""Records check themselves, and go through JSON unharmed."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Birth, Catalog, Defect, Entry, Findings, MaskFile, Patch, Sample, read_jsonl

IMAGE = np.zeros((6, 8, 3), np.uint8)
MASK = np.zeros((6, 8), bool)
MASK[2:4, 3:7] = True


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_a_box_is_the_smallest_half_open_one(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((11, 17)) < 0.06
    mask[rng.integers(11), rng.integers(17)] = True
    top, left, bottom, right = regionprops(mask.astype(np.uint8))[0].bbox
    assert Defect("pit", mask).box_xyxy == (left, top, right, bottom)


@pytest.mark.parametrize("mask", [MASK.astype(np.uint8), MASK[None], np.zeros((6, 8), bool)])
def test_masks_that_are_none_are_refused(mask):
    with pytest.raises(DataError, match="mask"):
        Defect("pit", mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_every_allowed_kind_pass(dtype, channels):
    sample = Sample("a", np.zeros((6, 8, channels), dtype), "pit", (Defect("pit", MASK),))
    assert sample.size_hw == (6, 8)
    assert np.array_equal(sample.mask, MASK)


@pytest.mark.parametrize(
    "image",
    [IMAGE[..., 0], IMAGE[..., :2], IMAGE.astype(np.float32), IMAGE.astype(np.int32), np.zeros((6, 8, 4), np.uint8)],
)
def test_images_of_another_kind_are_refused(image):
    with pytest.raises(DataError, match="a: an image is HWC uint8 or uint16"):
        Sample("a", image)


def test_a_sample_must_agree_with_itself():
    with pytest.raises(DataError, match=r"image is \(5, 8\) but a mask is \(6, 8\)"):
        Sample("a", IMAGE[:5], "pit", (Defect("pit", MASK),))
    with pytest.raises(DataError, match="labelled 'good' but has 1 defects"):
        Sample("a", IMAGE, GOOD, (Defect("pit", MASK),))
    assert not Sample("a", IMAGE, "pit").mask.any()


def test_the_mask_of_a_sample_is_the_union():
    other = np.zeros_like(MASK)
    other[0, 0] = other[2, 3] = True
    sample = Sample("a", IMAGE, "pit", (Defect("pit", MASK), Defect("crack", other)))
    assert sample.mask.sum() == MASK.sum() + 1


@pytest.mark.parametrize("id", ["", "/abs/a", "a/../b", ".."])
def test_ids_that_leave_the_folder_are_refused(id):
    with pytest.raises(DataError, match="relative path"):
        Entry(id, Path("a.png"), GOOD, "g")


def test_only_known_splits_are_taken():
    assert Entry("a", Path("a.png"), GOOD, "g", split="test").split == "test"
    with pytest.raises(DataError, match="split is 'train', 'test' or None, got 'val'"):
        Entry("a", Path("a.png"), GOOD, "g", split="val")


def catalog(root: Path = Path("/data/set")) -> Catalog:
    masks = (MaskFile(root / "m" / "1.png", "pit"), MaskFile(Path("/elsewhere/2.png"), "crack", 1, 7))
    return Catalog(
        "set",
        root,
        "folder",
        (
            Entry("pit/1", root / "i" / "1.png", "pit", "g1", masks, "train"),
            Entry("good/ü", root / "ü.png", GOOD, "g2"),
            Entry("crack/3", Path("/elsewhere/3.png"), "crack", "g3", (), "test"),
        ),
    )


def test_a_catalog_goes_through_json_unharmed():
    before = catalog()
    assert Catalog.from_json(json.loads(json.dumps(before.to_json()))) == before
    assert before.to_json()["entries"][0]["image"] == "i/1.png"


def test_a_mask_of_a_colour_goes_through_json_and_older_json_is_read():
    mask = MaskFile(Path("/data/set/m.png"), "pit", value=(255, 0, 7))
    before = Catalog("set", Path("/data/set"), "x", (Entry("a", Path("/data/set/a.png"), "pit", "a", (mask,)),))
    assert Catalog.from_json(json.loads(json.dumps(before.to_json()))) == before
    row = {"path": "m/1.png", "label": "pit", "threshold": 128, "value": None}
    entry = {"id": "a", "image": "a.png", "label": "pit", "group": "a", "masks": [row], "split": None}
    older = {"name": "set", "root": "/data/set", "layout": "folder", "entries": [entry]}
    assert Catalog.from_json(older).entries[0].masks == (MaskFile(Path("/data/set/m/1.png"), "pit"),)


def test_a_catalog_moves_with_its_root():
    moved = {**catalog().to_json(), "root": "/new"}
    found = Catalog.from_json(moved)
    assert found.entries[0].image == Path("/new/i/1.png")
    assert found.entries[0].masks[0].path == Path("/new/m/1.png")
    assert found.entries[2].image == Path("/elsewhere/3.png")


def test_catalogs_are_asked_by_label():
    found = catalog()
    assert found.defect_labels == ("crack", "pit")
    assert [entry.id for entry in found.labelled("pit", GOOD)] == ["pit/1", "good/ü"]
    assert len(found.with_entries([])) == 0
    assert found.with_entries([]).root == found.root


def test_an_id_is_taken_once():
    with pytest.raises(DataError, match="two entries have the id 'pit/1'"):
        catalog().with_entries([catalog().entries[0]] * 2)


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalog().entries[0].label = "other"


def test_a_patch_fits_its_background():
    assert Patch(IMAGE, MASK, "pit", 0).guide == {}
    with pytest.raises(DataError, match="differ in size"):
        Patch(IMAGE, MASK[:5], "pit", 0)


def test_births_go_through_json_unharmed():
    birth = Birth("pit/00001", "local", "a" * 64, "good/1", "b" * 64, 2**62, ({"label": "pit", "seed": 3},), {"v": 0.5})
    assert Birth.from_json(json.loads(json.dumps(birth.to_json()))) == birth


def test_lines_of_json_are_read_and_empty_ones_skipped(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"b": "ü"}\n', encoding="utf-8")
    assert read_jsonl(tmp_path / "a.jsonl") == [{"a": 1}, {"b": "ü"}]


def test_text_with_unusual_line_separators_stays_one_line(tmp_path):
    """JSON allows U+2028 and U+0085 inside strings; a class or file name may hold them."""
    rows = [{"label": "a\u2028b"}, {"label": "c\u0085d"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    assert read_jsonl(tmp_path / "a.jsonl") == rows


def test_findings_fit_their_images_and_classes():
    scores, told = np.zeros(2, np.float32), np.full((2, 2), 0.5, np.float32)
    assert Findings(scores).pixel_scores is None
    assert Findings(scores, None, told, ("good", "pit")).classes == ("good", "pit")
    with pytest.raises(DataError, match="one for every image"):
        Findings(scores, [np.zeros((4, 4), np.float32)])
    for classes in (("good",), ("pit", "good")):
        with pytest.raises(DataError, match="'good' first"):
            Findings(scores, None, told, classes)
