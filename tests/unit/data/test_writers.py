"""Export formats: what is read back is what was written."""

import json

import numpy as np
import pytest
import yaml
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage
from skimage.draw import disk

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_tree
from flawsmith.core.records import GOOD, Defect, Entry, MaskFile
from flawsmith.data.image_io import read_mask, read_metadata, write_image, write_mask
from flawsmith.data.writers import WRITERS, ExportItem
from flawsmith.data.writers.coco import segmentation
from flawsmith.data.writers.items import safe_name
from flawsmith.data.writers.outlines import outer_outlines, outlines, separated, signed_area
from flawsmith.data.writers.yolo import box_rows

BIRTH = {"id": "x/0", "generator": "local", "seed": 3}
SIZE_HW = (50, 70)


def blob(rng, size_hw=SIZE_HW, sigma=3.0, share=0.1):
    field = ndimage.gaussian_filter(rng.standard_normal(size_hw), sigma)
    return field > np.quantile(field, 1 - share)


class Shelf:
    """Makes entries on disk."""

    def __init__(self, root):
        self.root, self.rng = root, np.random.default_rng(0)

    def item(self, name, label=GOOD, masks=(), synthetic=False, split="train", suffix="png"):
        image = self.rng.integers(0, 256, (*SIZE_HW, 3)).astype(np.uint8)
        file = self.root / f"{name}.{suffix}"
        write_image(file, image, {"flawsmith:birth": json.dumps(BIRTH)} if synthetic else None)
        files = []
        for number, mask in enumerate(masks):
            path = self.root / "masks" / f"{name}_{number}.png"
            write_mask(path, mask)
            files.append(MaskFile(path, label))
        entry = Entry(name, file, label, name, tuple(files))
        return ExportItem(entry, synthetic, split, BIRTH if synthetic else None)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "in")


def rows(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def square(top, left, side):
    mask = np.zeros(SIZE_HW, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def ring():
    return square(10, 10, 20) & ~square(15, 15, 6)


def mixed(shelf):
    return [
        shelf.item("good/a b", suffix="bmp"),
        shelf.item("good/é", split="val", suffix="tiff"),
        shelf.item("Kratzer groß/1", "Kratzer groß", [square(3, 4, 9)]),
        shelf.item("dent/1", "dent", [ring()], split="val"),
        shelf.item("dent/known class only", "dent"),
        shelf.item("dent/00000", "dent", [square(0, 0, 5), square(30, 50, 20)], synthetic=True),
        shelf.item("dent/00001", "dent", [square(45, 65, 5)], synthetic=True),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_coco_masks_come_back_exactly(seed):
    mask = blob(np.random.default_rng(seed), share=[0.01, 0.1, 0.5, 0.9][seed % 4], sigma=[0.5, 1, 3, 6][seed // 2])
    found = segmentation(mask)
    coded = coco_mask.frPyObjects(found, *SIZE_HW)
    decoded = coco_mask.decode(coded if isinstance(coded, dict) else coded[0]).astype(bool)
    assert (decoded == mask).all()


def test_coco_polygons_are_used_for_simple_shapes():
    simple = square(5, 5, 12) | square(10, 12, 30)
    simple[disk((30, 40), 12)] = True
    found = segmentation(simple)
    assert isinstance(found, list)
    decoded = coco_mask.decode(coco_mask.frPyObjects(found, *SIZE_HW)[0]).astype(bool)
    assert (decoded & simple).sum() / (decoded | simple).sum() > 0.99
    assert isinstance(segmentation(ring()), dict)
    assert isinstance(segmentation(square(0, 0, 3) | square(9, 9, 3)), dict)


def test_coco_polygons_of_thin_diagonal_lines_keep_their_area():
    line = np.zeros(SIZE_HW, bool)
    line[np.arange(40), np.arange(40)] = line[np.arange(40), np.arange(1, 41)] = True
    found = segmentation(line)
    assert isinstance(found, list)
    decoded = coco_mask.decode(coco_mask.frPyObjects(found, *SIZE_HW)[0]).astype(bool)
    assert (decoded == line).all()


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


def test_a_real_mask_of_two_far_parts_is_two_instances_and_of_two_near_parts_one():
    assert len(separated(square(0, 0, 5) | square(30, 50, 10))) == 2
    assert len(separated(square(10, 10, 8) | square(10, 20, 8))) == 1
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
    drawn = coco_mask.decode(coco_mask.frPyObjects([points.ravel().tolist()], *SIZE_HW)[0]).astype(bool)
    assert number == 0
    assert (drawn == shape).all()


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
    assert (tmp_path / "out/masks/synthetic/dent/train_001.png").is_file()
    assert not (tmp_path / "out/masks/real/good").exists()
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
