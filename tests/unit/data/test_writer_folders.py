"""VisA and anomalib: which image lies where."""

import csv

import numpy as np
import pytest
import yaml
from PIL import Image
from shelf import SIZE_HW, Shelf, mixed, ring, square

from flawsmith.core.records import Entry, MaskFile
from flawsmith.data.image_io import write_mask
from flawsmith.data.writers import WRITERS, ExportItem


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "in")


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_visa_shape(shelf, tmp_path):
    WRITERS["visa"](mixed(shelf), tmp_path / "out")
    assert files(tmp_path / "out") == {
        ".export.json",
        "manifest.jsonl",
        "id2class.json",
        "split_csv/1cls.csv",
        "split_csv/2cls_highshot.csv",
        "real/image_anno.csv",
        "real/Data/Images/Normal/000.bmp",
        "real/Data/Images/Normal/001.tiff",
        "real/Data/Images/Anomaly/000.png",
        "real/Data/Images/Anomaly/001.png",
        "real/Data/Masks/Anomaly/000.png",
        "real/Data/Masks/Anomaly/001.png",
        "synthetic/image_anno.csv",
        "synthetic/Data/Images/Anomaly/000.png",
        "synthetic/Data/Images/Anomaly/001.png",
        "synthetic/Data/Masks/Anomaly/000.png",
        "synthetic/Data/Masks/Anomaly/001.png",
        "unlocated/real/dent/000.png",
    }
    with Image.open(tmp_path / "out/real/Data/Masks/Anomaly/001.png") as mask:
        assert (np.array(mask) == 2 * ring()).all()


def test_visa_tables(shelf, tmp_path):
    WRITERS["visa"](mixed(shelf), tmp_path / "out")
    images, masks = "real/Data/Images", "real/Data/Masks"
    assert table(tmp_path / "out/real/image_anno.csv") == [
        ["image", "label", "mask"],
        [f"{images}/Normal/000.bmp", "normal", ""],
        [f"{images}/Normal/001.tiff", "normal", ""],
        [f"{images}/Anomaly/000.png", "Kratzer groß", f"{masks}/Anomaly/000.png"],
        [f"{images}/Anomaly/001.png", "dent", f"{masks}/Anomaly/001.png"],
    ]
    one = table(tmp_path / "out/split_csv/1cls.csv")
    assert one[0] == ["object", "split", "label", "image", "mask"]
    assert [row[:3] for row in one[1:5]] == [
        ["real", "train", "normal"],
        ["real", "test", "normal"],
        ["real", "test", "anomaly"],
        ["real", "test", "anomaly"],
    ]
    two = table(tmp_path / "out/split_csv/2cls_highshot.csv")
    assert [row[1] for row in two[1:]] == ["train", "test", "train", "test", "train", "train"]


def test_visa_names_every_class_of_an_image(shelf, tmp_path):
    one = shelf.item("x", "dent", [square(0, 0, 9)]).entry
    write_mask(tmp_path / "other.png", square(2, 2, 3))
    entry = Entry("x", one.image, "dent", "x", (*one.masks, MaskFile(tmp_path / "other.png", "a,b")))
    WRITERS["visa"]([ExportItem(entry, False, "train")], tmp_path / "out")
    assert table(tmp_path / "out/real/image_anno.csv")[1][1] == "dent,a%2Cb"
    with Image.open(tmp_path / "out/real/Data/Masks/Anomaly/000.png") as mask:
        assert np.bincount(np.array(mask).ravel()).tolist() == [np.prod(SIZE_HW) - 81, 9, 72]


def test_anomalib_shape(shelf, tmp_path):
    WRITERS["anomalib"](mixed(shelf), tmp_path / "out")
    assert files(tmp_path / "out") == {
        ".export.json",
        "manifest.jsonl",
        "README.md",
        "real.yaml",
        "real_and_synthetic.yaml",
        "normal/000.bmp",
        "normal_test/000.tiff",
        "abnormal/Kratzer groß/000.png",
        "abnormal/dent/000.png",
        "mask/Kratzer groß/000.png",
        "mask/dent/000.png",
        "synthetic/abnormal/dent/000.png",
        "synthetic/abnormal/dent/001.png",
        "synthetic/mask/dent/000.png",
        "synthetic/mask/dent/001.png",
        "unlocated/real/dent/000.png",
    }


def test_anomalib_settings_name_the_folders_that_hold_images(shelf, tmp_path):
    WRITERS["anomalib"](mixed(shelf), tmp_path / "out")
    real = yaml.safe_load((tmp_path / "out/real.yaml").read_text())
    folders = {"normal_dir": "normal", "normal_test_dir": "normal_test", "abnormal_dir": "abnormal", "mask_dir": "mask"}
    assert real == {
        "class_path": "anomalib.data.Folder",
        "init_args": {"name": "flawsmith", "root": ".", **folders},
    }
    both = yaml.safe_load((tmp_path / "out/real_and_synthetic.yaml").read_text())["init_args"]
    assert both["abnormal_dir"] == ["abnormal", "synthetic/abnormal"]
    assert both["mask_dir"] == ["mask", "synthetic/mask"]
    assert both["normal_dir"] == "normal"
    WRITERS["anomalib"]([shelf.item("good/alone")], tmp_path / "alone")
    alone = yaml.safe_load((tmp_path / "alone/real.yaml").read_text())["init_args"]
    assert alone == {"name": "flawsmith", "root": ".", "normal_dir": "normal"}
