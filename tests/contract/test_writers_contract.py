"""Every export format keeps the same promises."""

import json
import tarfile

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import GOOD, Entry, MaskFile
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.writers import WRITERS, ExportItem
from flawsmith.recipes.run import check_choices
from flawsmith.recipes.settings import RunSettings

BIRTH = {"id": "dent/0", "generator": "local", "seed": 1}


@pytest.fixture
def items(tmp_path):
    rng, found = np.random.default_rng(0), []
    kinds = [(np.uint8, 3), (np.uint16, 1), (np.uint8, 1), (np.uint16, 3)]
    for number in range(8):
        dtype, channels = kinds[number % 4]
        image = tmp_path / "in" / f"{number} ü.png"
        write_image(image, rng.integers(0, np.iinfo(dtype).max, (40, 30 + number, channels)).astype(dtype))
        label, masks = (GOOD, ()) if number < 3 else (f"class {number % 2}", (tmp_path / "in" / f"m{number}.png",))
        for path in masks:
            mask = np.zeros((40, 30 + number), bool)
            mask[rng.integers(0, 40, 60), rng.integers(0, 30, 60)] = True
            write_mask(path, mask)
        entry = Entry(f"{label}/{number}", image, label, "g", tuple(MaskFile(path, label) for path in masks))
        synthetic = number > 5
        found.append(ExportItem(entry, synthetic, "val" if number == 2 else "train", BIRTH if synthetic else None))
    return found


def stored(out, row):
    """The bytes of a row's file: in the folder, or in the tar file that the row names."""
    if "shard" not in row:
        return (out / row["file"]).read_bytes()
    with tarfile.open(out / row["shard"]) as shard:
        return shard.extractfile(row["file"]).read()


@pytest.mark.parametrize("name", WRITERS)
def test_every_image_is_there_byte_for_byte_and_marked(name, items, tmp_path):
    out = tmp_path / "out"
    WRITERS[name](items, out)
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["source"] for row in rows] == [item.entry.id for item in items]
    for row, item in zip(rows, items, strict=True):
        assert stored(out, row) == item.entry.image.read_bytes()
        assert (row["synthetic"], row["birth"], row["split"]) == (item.synthetic, item.birth, item.split)
        assert ("synthetic" in row["file"]) == item.synthetic
    assert len({row["file"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_items_give_the_same_files(name, items, tmp_path):
    WRITERS[name](items, tmp_path / "one")
    WRITERS[name](items, tmp_path / "two")
    assert sha256_tree(tmp_path / "one") == sha256_tree(tmp_path / "two")


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_set_is_a_valid_export(name, tmp_path):
    WRITERS[name]([], tmp_path / "out")
    assert (tmp_path / "out" / "manifest.jsonl").read_text() == ""


@pytest.mark.parametrize("name", WRITERS)
def test_an_image_whose_defect_has_no_mask_is_never_among_the_good_ones(name, items, tmp_path):
    known = ExportItem(Entry("class 0/x", items[0].entry.image, "class 0", "g"), False, "train")
    WRITERS[name]([*items, known], tmp_path / "out")
    row = json.loads((tmp_path / "out" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert row["located"] is False
    assert "class 0" in row["file"]
    assert stored(tmp_path / "out", row) == known.entry.image.read_bytes()


@pytest.mark.parametrize("name", WRITERS)
def test_an_interrupted_export_ends_the_same(name, items, tmp_path):
    WRITERS[name](items, tmp_path / "whole")
    lost = ExportItem(Entry("lost", items[0].entry.image, "class 0", "g", items[3].entry.masks), False, "train")
    with pytest.raises(DataError, match="masks have the size of their image"):
        WRITERS[name]([*items, lost], tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.part"))
    WRITERS[name](items, tmp_path / "out")
    assert sha256_tree(tmp_path / "out") == sha256_tree(tmp_path / "whole")


@pytest.mark.parametrize("name", WRITERS)
def test_settings_can_name_every_format(name):
    check_choices(RunSettings.model_validate({"export": {"formats": [name]}}))
