"""The layouts anomalib and webdataset beyond what the round trips show: what is none, and what is wrong in one."""

import json

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_json
from flawsmith.core.records import GOOD
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import detect, read_catalog
from flawsmith.data.readers.opening import recognised
from flawsmith.data.readers.registry import READERS
from layout_examples import SIZE_HW, SPOT, anomalib, numbers, photos, webdataset


def seen(catalog):
    return {entry.id: (entry.label, len(entry.masks), entry.split) for entry in catalog}


def test_anomalib_with_kinds_of_defects(tmp_path):
    anomalib(tmp_path)
    photos(tmp_path, "abnormal/dent/0.png", "abnormal/7.png")
    write_mask(tmp_path / "mask/7.png", SPOT)
    assert detect(tmp_path) == "anomalib"
    assert seen(read_catalog(tmp_path)) == {
        "normal/0": (GOOD, 0, "train"),
        "normal_test/0": (GOOD, 0, "test"),
        "abnormal/7": ("abnormal", 1, "test"),
        "abnormal/dent/0": ("dent", 0, "test"),
        "abnormal/scratch/0": ("scratch", 1, "test"),
    }


def test_folders_that_happen_to_be_called_so_are_classes(tmp_path):
    photos(tmp_path, "normal/0.png", "abnormal/lot 1/0.png", "abnormal/lot 2/0.png")
    write_mask(tmp_path / "masks/abnormal/0.png", SPOT)
    assert recognised(tmp_path) == ["folder"]
    assert {entry.label for entry in read_catalog(tmp_path)} == {GOOD, "abnormal"}


def test_a_shard_says_label_split_and_group(tmp_path):
    webdataset(tmp_path)
    photos(tmp_path, "nobody_spoke_of.png", "more/real_2.png")
    write_json(tmp_path / "more/real_2.json", {"label": "OK", "split": "val"})
    catalog = read_catalog(tmp_path)
    assert seen(catalog) == {
        "real_0": (GOOD, 0, "train"),
        "real_1": ("scratch", 1, None),
        "more/real_2": (GOOD, 0, "train"),
    }
    assert [entry.group for entry in catalog] == ["real_0", "part-1", "more/real_2"]


def test_instances_are_numbers_of_the_mask(tmp_path):
    photos(tmp_path, "a.png", "b.png")
    drawn = np.zeros((*SIZE_HW, 1), np.uint16)
    drawn[2:4], drawn[7] = 1, 300
    write_image(tmp_path / "a.mask.png", drawn)
    write_json(tmp_path / "a.json", {"label": "dent", "labels": ["dent", "ok", *["dot"] * 298]})
    numbers(tmp_path / "b.mask.png", 7)
    write_json(tmp_path / "b.json", {"label": "hole"})
    first, second = (load_sample(entry) for entry in read_catalog(tmp_path))
    assert [(each.label, int(each.mask.sum())) for each in first.defects] == [("dent", 24), ("dot", 12)]
    np.testing.assert_array_equal(second.mask, SPOT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"label": 3}', "a.json, at label: .*string, got 3"),
        ('{"label": ""}', "at label"),
        ('{"label": "x", "labels": "dent"}', "at labels"),
        ('{"label": "x", "group": ""}', "at group"),
        ('{"label": "x"', "a.json: .*JSON"),
        ("[" * 10_000, "a.json"),
    ],
)
def test_what_is_wrong_in_a_note_is_named(tmp_path, text, message):
    photos(tmp_path, "a.png")
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path, layout="webdataset")


@pytest.mark.parametrize("told", [{"size": [1, 2]}, {"shapes": [{"label": "dent"}]}, ["label"], {"label": 3}])
def test_a_json_file_beside_a_picture_alone_is_no_shard(tmp_path, told):
    photos(tmp_path, "a.png")
    (tmp_path / "a.json").write_text(json.dumps(told), encoding="utf-8")
    assert not READERS["webdataset"].recognises(tmp_path)
