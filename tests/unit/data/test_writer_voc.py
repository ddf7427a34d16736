"""Pascal VOC: boxes, palettes and lists."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from shelf import SIZE_HW, Shelf, mixed, ring, square

from flawsmith.core.records import Defect
from flawsmith.data.writers import WRITERS
from flawsmith.data.writers.numbered import compact, numbered
from flawsmith.data.writers.voc import palette_png, voc_colours


@pytest.fixture
def out(tmp_path):
    WRITERS["voc"](mixed(Shelf(tmp_path / "in")), tmp_path / "out")
    return tmp_path / "out"


def boxes(root):
    return [[int(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax")] for box in root.iter("bndbox")]


def test_voc_boxes_are_one_based_and_inclusive(out):
    root = ElementTree.parse(out / "Annotations" / "synthetic_000.xml").getroot()
    assert boxes(root) == [[1, 1, 5, 5], [51, 31, 70, 50]]
    assert [each.findtext("name") for each in root.findall("object")] == ["dent", "dent"]
    assert [int(root.findtext(f"size/{name}")) for name in ("width", "height", "depth")] == [*SIZE_HW[::-1], 3]


def test_voc_says_which_images_are_synthetic(out):
    origins = {path.stem: ElementTree.parse(path).findtext("source/image") for path in (out / "Annotations").iterdir()}
    assert set(origins) == {path.stem for path in (out / "JPEGImages").iterdir()}
    assert all(stem.startswith(f"{origin}_") for stem, origin in origins.items())
    assert sorted(origins.values()) == ["real"] * 4 + ["synthetic"] * 2


def test_voc_lists_every_located_image_once(out):
    for use in ("Main", "Segmentation"):
        lists = {path.stem: path.read_text().split() for path in (out / "ImageSets" / use).iterdir()}
        assert lists["val"] == ["real_001", "real_003"]
        assert lists["train"] == ["real_000", "real_002", "synthetic_000", "synthetic_001"]
        assert lists["test"] == []
    assert (out / "unlocated/real/dent/000.png").is_file()


def test_voc_segmentations_are_palette_images_of_instance_and_class_numbers(out):
    with Image.open(out / "SegmentationObject/synthetic_000.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[:6] == [0, 0, 0, 128, 0, 0]
        assert (np.array(image) == square(0, 0, 5) + 2 * square(30, 50, 20)).all()
    with Image.open(out / "SegmentationClass/real_003.png") as image:
        assert (np.array(image) == 2 * ring()).all()
    assert (out / "classes.txt").read_text().split("\n")[1] == "dent"
    with Image.open(out / "SegmentationClass/real_000.png") as good:
        assert not np.array(good).any()


def test_the_colours_are_those_of_the_voc_devkit():
    known = {1: "800000", 2: "008000", 5: "800080", 8: "400000", 15: "c08080", 20: "004080", 255: "e0e0c0"}
    assert {number: bytes(voc_colours()[number]).hex() for number in known} == known
    assert len(np.unique(voc_colours(), axis=0)) == 256


@pytest.mark.parametrize(("count", "mode"), [(254, "P"), (255, "I;16")])
def test_more_numbers_than_a_palette_holds_are_written_with_sixteen_bits(count, mode):
    numbers = np.arange(count + 1, dtype=np.uint16)[None]
    with Image.open(io.BytesIO(palette_png(numbers))) as image:
        assert image.mode == mode
        assert (np.array(image) == numbers).all()


def test_a_small_defect_is_seen_on_a_large_one_in_either_order():
    large, small = Defect("stain", square(0, 0, 20)), Defect("pore", square(3, 3, 2))
    for order, number in (([large, small], 2), ([small, large], 1)):
        found = numbered(order, SIZE_HW)
        assert (found.owner == number).sum() == 4
        assert (found.owner > 0).sum() == 400
    assert (found.by_class({"stain": 7, "pore": 9}) == 9).sum() == 4


def test_the_first_of_two_defects_with_one_mask_is_seen():
    twice = [Defect("a", square(0, 0, 3)), Defect("b", square(0, 0, 3))]
    assert set(np.unique(numbered(twice, SIZE_HW).owner)) == {0, 1}
    assert compact(numbered(twice, SIZE_HW).owner).dtype == np.uint8
