"""The check and the cleaned copy where labels stand in files."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, write_json
from flawsmith.data.checks import check
from flawsmith.data.fixes import fix
from flawsmith.data.image_io import write_image
from flawsmith.data.readers import read_catalog
from layout_examples import coco, yolo


def kinds(root):
    return [problem.kind for problem in check(read_catalog(root)) if problem.kind != "few_groups"]


def test_masks_from_boxes_are_counted(tmp_path):
    yolo(tmp_path)
    assert kinds(tmp_path) == ["box_masks"]


def test_labels_for_an_image_of_another_size_name_the_image(tmp_path):
    coco(tmp_path)
    write_image(tmp_path / "images" / "1.jpg.png", np.full((5, 6, 1), 90, np.uint8))
    (tmp_path / "images" / "1.jpg.png").rename(tmp_path / "images" / "1.jpg")
    (problem,) = [each for each in check(read_catalog(tmp_path)) if each.severity == "error"]
    assert problem.kind == "mask_size"
    assert problem.file.name == "1.jpg"


def test_an_outline_beside_the_image_is_an_empty_mask(tmp_path):
    coco(tmp_path)
    path = tmp_path / "annotations" / "all.json"
    table = read_json(path)
    table["annotations"][0]["segmentation"] = [[50, 50, 60, 50, 60, 60]]
    write_json(path, table)
    assert kinds(tmp_path) == ["empty_mask"]


def test_a_copy_whose_labels_name_what_is_left_out_is_refused(tmp_path):
    coco(tmp_path / "set")
    (tmp_path / "set" / "images" / "0.jpg").write_bytes(b"no picture")
    catalog = read_catalog(tmp_path / "set")
    with pytest.raises(DataError, match=r"would not be readable as 'coco'.*0\.jpg"):
        fix(catalog, check(catalog), tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_sound_set_with_labels_in_a_file_is_copied(tmp_path):
    coco(tmp_path / "set")
    catalog = read_catalog(tmp_path / "set")
    assert fix(catalog, check(catalog), tmp_path / "copy") == []
    assert [entry.id for entry in read_catalog(tmp_path / "copy")] == [entry.id for entry in catalog]
