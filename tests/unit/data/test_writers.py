"""Export formats: what is read back is what was written."""

import json

import numpy as np
import pytest
import yaml
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage
from shelf import BIRTH, SIZE_HW, Shelf, mixed, ring, rows, square
from skimage.draw import disk

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import Defect, Entry, MaskFile
from flawsmith.data.image_io import read_mask, read_metadata
from flawsmith.data.writers import WRITERS, ExportItem
from flawsmith.data.writers.coco import polygons, segmentation
from flawsmith.data.writers.items import safe_name
from flawsmith.data.writers.outlines import outer_outlines, outlines, separated, signed_area
from flawsmith.data.writers.yolo import box_rows


def blob(rng, size_hw=SIZE_HW, sigma=3.0, share=0.1):
    field = ndimage.gaussian_filter(rng.standard_normal(size_hw), sigma)
    return field > np.quantile(field, 1 - share)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "in")


def drawn(found):
    """The mask that pycocotools makes of a segmentation."""
    coded = coco_mask.frPyObjects(found, *SIZE_HW)
    return coco_mask.decode(coded if isinstance(coded, dict) else coco_mask.merge(coded)).astype(bool)


@pytest.mark.parametrize("shape", [segmentation, polygons])
@pytest.mark.parametrize("seed", range(8))
def test_coco_masks_come_back_exactly(seed, shape):
    mask = blob(np.random.default_rng(seed), share=[0.01, 0.1, 0.5, 0.9][seed % 4], sigma=[0.5, 1, 3, 6][seed // 2])
    assert (drawn(shape(mask)) == mask).all()


def test_coco_polygons_are_used_for_shapes_without_holes():
    simple = square(5, 5, 12) | square(10, 12, 30)
    simple[disk((30, 40), 12)] = True
    found = segmentation(simple)
    assert isinstance(found, list)
    assert (drawn(found) == simple).all()
    assert len(segmentation(square(0, 0, 3) | square(9, 9, 3))) == 2
    assert isinstance(segmentation(ring()), dict)
    assert isinstance(polygons(ring()), list)


def test_coco_polygons_of_thin_diagonal_lines_keep_their_area():
    line = np.zeros(SIZE_HW, bool)
    line[np.arange(40), np.arange(40)] = line[np.arange(40), np.arange(1, 41)] = True
    found = segmentation(line)
    assert isinstance(found, list)
    assert (drawn(found) == line).all()


def test_coco_export_opens_in_pycocotools(shelf, tmp_path):
    items = mixed(shelf)
    WRITERS["coco"](items, tmp_path / "out")
    coco = COCO(tmp_path / "out" / "train" / "annotations.json")
    assert [each["name"] for each in coco.loadCats([1, 2])] == ["Kratzer groß", "dent"]
    images = {each["source"]: each for each in coco.dataset["images"]}
    assert set(images) == {"good/a b", "Kratzer groß/1", "dent/00000", "dent/00001"}
    synthetic = images["dent/00000"]
    assert synthetic["synthetic"] is True
    assert synthetic["birth"] == BIRTH
    assert images["good/a b"]["synthetic"] is False
    assert (tmp_path / "out" / "train" / synthetic["file_name"]).is_file()
    found = coco.loadAnns(coco.getAnnIds(synthetic["id"]))
    for annotation, mask in zip(found, [square(0, 0, 5), square(30, 50, 20)], strict=True):
        assert (coco.annToMask(annotation).astype(bool) == mask).all()
        assert annotation["area"] == mask.sum() == np.prod(annotation["bbox"][2:])
    (held,) = COCO(tmp_path / "out" / "val" / "annotations.json").dataset["annotations"]
    assert held["bbox"] == [10, 10, 20, 20]
    assert held["category_id"] == 2


def test_coco_polygons_say_holes_too(shelf, tmp_path):
    speckled = blob(np.random.default_rng(4), sigma=1, share=0.7)
    WRITERS["coco_polygons"]([shelf.item("dent/0", "dent", [speckled], synthetic=True)], tmp_path / "out")
    coco = COCO(tmp_path / "out" / "train" / "annotations.json")
    (annotation,) = coco.dataset["annotations"]
    assert isinstance(annotation["segmentation"], list)
    assert (coco.annToMask(annotation).astype(bool) == speckled).all()
    assert annotation["area"] == speckled.sum()


def test_a_real_mask_of_two_far_parts_is_two_instances_and_of_two_near_parts_one():
    assert len(list(separated(square(0, 0, 5) | square(30, 50, 10)))) == 2
    assert len(list(separated(square(10, 10, 8) | square(10, 20, 8)))) == 1
    far = blob(np.random.default_rng(1), sigma=1.5)
    assert (sum(part.astype(int) for part in separated(far)) == far).all()


def test_outlines_enclose_the_area_and_turn_round_holes():
    for seed in range(5):
        mask = blob(np.random.default_rng(seed), sigma=1, share=0.4)
        assert sum(signed_area(each) for each in outlines(mask)) == mask.sum()
    assert [signed_area(each) for each in outer_outlines(ring())] == [400]
    assert sorted(signed_area(each) for each in outlines(ring())) == [-36, 400]
    assert outlines(np.zeros(SIZE_HW, bool)) == []


def read_yolo(path, size_hw):
    found = []
    for line in path.read_text().splitlines():
        number, *values = line.split()
        found.append((int(number), np.array(values, float).reshape(-1, 2) * size_hw[::-1]))
    return found


def test_yolo_boxes_invert_to_pixels(shelf, tmp_path):
    WRITERS["yolo"](mixed(shelf), tmp_path / "out")
    labels = tmp_path / "out" / "labels" / "train"
    found = read_yolo(labels / "synthetic_000.txt", SIZE_HW)
    corners = [(number, *(centre - side / 2), *(centre + side / 2)) for number, (centre, side) in found]
    assert np.allclose(corners, [(1, 0, 0, 5, 5), (1, 50, 30, 70, 50)], atol=1e-5)
    assert (labels / "real_000.txt").read_text() == ""
    assert {path.stem for path in labels.iterdir()} == {path.stem for path in (labels / "../../images/train").iterdir()}
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert data["names"] == {0: "Kratzer groß", 1: "dent"}
    assert data["train"] == "images/train"
    assert data["val"] == "images/val"


def test_yolo_boxes_stay_inside_the_image():
    (row,) = box_rows(Defect("x", square(45, 65, 5)), SIZE_HW)
    assert row[0] + row[2] / 2 == pytest.approx(1)
    assert row[1] + row[3] / 2 == pytest.approx(1)


def test_yolo_polygons_draw_the_mask_again(shelf, tmp_path):
    shape = np.zeros(SIZE_HW, bool)
    shape[disk((25, 30), 14)] = True
    WRITERS["yolo_segment"]([shelf.item("dent/0", "dent", [shape])], tmp_path / "out")
    ((number, points),) = read_yolo(tmp_path / "out" / "labels" / "train" / "real_000.txt", SIZE_HW)
    assert number == 0
    assert (drawn([points.ravel().tolist()]) == shape).all()


def test_mvtec_shape(shelf, tmp_path):
    WRITERS["mvtec"](mixed(shelf), tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {
        ".export.json",
        "manifest.jsonl",
        "train/good/000.bmp",
        "test/good/000.tiff",
        "test/Kratzer groß/000.png",
        "ground_truth/Kratzer groß/000_mask.png",
        "test/dent/000.png",
        "ground_truth/dent/000_mask.png",
        "unlocated/real/dent/000.png",
        "synthetic/dent/000.png",
        "synthetic/dent/001.png",
        "synthetic_masks/dent/000_mask.png",
        "synthetic_masks/dent/001_mask.png",
    }
    mask = read_mask(MaskFile(tmp_path / "out/synthetic_masks/dent/000_mask.png", "dent"), SIZE_HW)
    assert (mask == (square(0, 0, 5) | square(30, 50, 20))).all()


def test_numbers_sort_as_given_beyond_a_thousand(tmp_path):
    shelf = Shelf(tmp_path / "in")
    one = shelf.item("dent/0", "dent", [square(0, 0, 5)])
    entry = one.entry
    items = [
        ExportItem(Entry(f"dent/{number}", entry.image, "dent", "g", entry.masks), False, "train")
        for number in range(1001)
    ]
    WRITERS["mvtec"](items, tmp_path / "out")
    files = sorted((tmp_path / "out" / "test" / "dent").iterdir())
    assert [row["file"].rsplit("/", 1)[1] for row in rows(tmp_path / "out")] == [file.name for file in files]


def test_folder_keeps_real_and_synthetic_apart(shelf, tmp_path):
    WRITERS["folder"](mixed(shelf), tmp_path / "out")
    assert (tmp_path / "out/real/good/train_000.bmp").is_file()
    assert (tmp_path / "out/synthetic/dent/train_001.png").is_file()
    assert (tmp_path / "out/synthetic/masks/dent/train_001.png").is_file()
    assert not (tmp_path / "out/real/masks/good").exists()
    assert {row["file"].split("/")[0] for row in rows(tmp_path / "out") if row["synthetic"]} == {"synthetic"}


def test_synthetic_images_keep_bytes_and_birth(shelf, tmp_path):
    items = mixed(shelf)
    WRITERS["folder"](items, tmp_path / "out")
    copied = tmp_path / "out/synthetic/dent/train_000.png"
    assert copied.read_bytes() == items[5].entry.image.read_bytes()
    assert json.loads(read_metadata(copied)["flawsmith:birth"]) == BIRTH


def test_names_stay_apart_and_inside_the_export(shelf, tmp_path):
    assert len({safe_name(each) for each in ("a/b", "a%2Fb", "a_b", "a:b", "a.", ".a", "..", "a ")}) == 8
    WRITERS["mvtec"]([shelf.item("bad", "../out", [square(0, 0, 4)])], tmp_path / "export")
    assert (tmp_path / "export/test/%2E.%2Fout/000.png").is_file()


def test_a_finished_export_is_left_alone_and_a_foreign_folder_refused(shelf, tmp_path):
    items = mixed(shelf)
    WRITERS["coco"](items, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    WRITERS["coco"](items, tmp_path / "out")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    with pytest.raises(DataError, match="empty folder"):
        WRITERS["coco"](items[:2], tmp_path / "out")
    assert sha256_tree(tmp_path / "out")


def test_an_interrupted_export_ends_the_same(shelf, tmp_path, monkeypatch):
    items = mixed(shelf)
    WRITERS["yolo"](items, tmp_path / "whole")
    broken = ExportItem(Entry("x", shelf.root / "mask.png", "dent", "x"), False, "train")
    (shelf.root / "mask.png").write_bytes(b"no image")
    with pytest.raises(DataError):
        WRITERS["yolo"]([*items, broken], tmp_path / "out")
    (tmp_path / "out" / ".x.png.12.part").write_bytes(b"left over")
    WRITERS["yolo"](items, tmp_path / "out")
    assert sha256_tree(tmp_path / "out") == sha256_tree(tmp_path / "whole")


def test_births_and_doubles_are_checked(shelf):
    item = shelf.item("a")
    with pytest.raises(DataError, match="no birth record"):
        ExportItem(item.entry, True, "train", None)
    with pytest.raises(DataError, match="is real"):
        ExportItem(item.entry, False, "train", BIRTH)
    with pytest.raises(DataError, match="plain folder name"):
        ExportItem(item.entry, False, "../train", None)
    with pytest.raises(DataError, match="given twice"):
        WRITERS["mvtec"]([item, item], shelf.root / "out")
