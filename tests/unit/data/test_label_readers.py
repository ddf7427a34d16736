"""Layouts whose labels stand in text files, written small and read back; what is wrong in them is named."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from flawsmith.core.errors import DataError, LayoutError
from flawsmith.core.files import write_json, write_text
from flawsmith.core.records import GOOD
from flawsmith.data.checks import check
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import catalog_digest, load_catalog, load_sample, save_catalog
from flawsmith.data.readers import READERS, detect, read_catalog
from flawsmith.data.readers.coco import expanded

SIZE_HW = (20, 30)
SQUARE = [4.0, 2.0, 10.0, 2.0, 10.0, 8.0, 4.0, 8.0]
SQUARE_BOX = (4, 2, 10, 8)


def put(root, *names):
    for number, name in enumerate(names):
        write_image(root / name, np.full((*SIZE_HW, 1), number, np.uint8))


def seen(catalog):
    return {
        entry.id: (entry.label, [(each.label, each.box_xyxy) for each in load_sample(entry).defects], entry.split)
        for entry in catalog
    }


def read_by_looking(root, layout):
    """Read a folder that must be found to be of a layout, and whose catalog must survive being saved."""
    assert detect(root) == layout
    catalog = read_catalog(root)
    save_catalog(root.parent / "catalog.json", catalog)
    assert load_catalog(root.parent / "catalog.json") == catalog
    return catalog


@pytest.fixture
def root(tmp_path):
    return tmp_path / "set"


def picture(number, name, **more):
    return {"id": number, "file_name": name, "height": SIZE_HW[0], "width": SIZE_HW[1], **more}


def annotation(image, category, **more):
    return {"image_id": image, "category_id": category, **more}


CATEGORIES = [{"id": 0, "name": "hole"}, {"id": 7, "name": "Kratzer groß"}, {"id": 8, "name": "OK"}]


def write_coco(path, images, annotations):
    write_json(path, {"images": images, "annotations": annotations, "categories": CATEGORIES})


def runs_of(mask):
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_coco_polygons_runs_crowds_and_boxes(root):
    put(root, "images/a.png", "images/sub/b.png", "images/c.png", "images/extra.png")
    spots = np.random.default_rng(0).random(SIZE_HW) < 0.3
    coded = {"size": list(SIZE_HW), "counts": runs_of(spots)["counts"].decode()}
    plain = {"size": list(SIZE_HW), "counts": list(expanded(coded["counts"]))}
    annotations = [
        annotation(1, 7, segmentation=[SQUARE], bbox=[0, 0, 1, 1]),
        annotation(1, 0, segmentation=plain, iscrowd=1),
        annotation("two", 0, segmentation=coded),
        annotation("two", 0, segmentation=[], bbox=[4, 2, 6, 6]),
        annotation("two", 8, bbox=[0, 0, 9, 9]),
    ]
    images = [picture(1, "a.png"), picture("two", "sub/b.png"), picture(3, "c.png")]
    write_coco(root / "annotations" / "instances.json", images, annotations)
    catalog = read_by_looking(root, "coco")
    first, second, third = (load_sample(entry) for entry in catalog)
    assert [entry.id for entry in catalog] == ["images/a", "images/sub/b", "images/c"]
    assert [sample.label for sample in (first, second, third)] == ["Kratzer groß", "hole", GOOD]
    assert first.defects[0].box_xyxy == second.defects[1].box_xyxy == SQUARE_BOX
    np.testing.assert_array_equal(first.defects[1].mask, spots)
    np.testing.assert_array_equal(second.defects[0].mask, spots)
    assert [defect.label for sample in (first, second, third) for defect in sample.defects] == [
        "Kratzer groß",
        "hole",
        "hole",
        "hole",
    ]
    assert [mask.approximate for entry in catalog for mask in entry.masks] == [False, False, False, True]


def test_coco_with_a_file_per_split_beside_the_images(root):
    put(root, "train/0.jpg.png", "valid/0.png", "test/0.png")
    for split in ("train", "valid", "test"):
        name = "0.jpg.png" if split == "train" else "0.png"
        write_coco(root / split / "_annotations.coco.json", [picture(5, name)], [annotation(5, 0, bbox=[4, 2, 6, 6])])
    hole = ("hole", [("hole", SQUARE_BOX)])
    assert seen(read_by_looking(root, "coco")) == {
        "train/0.jpg": (*hole, "train"),
        "valid/0": (*hole, "train"),
        "test/0": (*hole, "test"),
    }


def test_coco_with_folders_named_like_the_files(root):
    put(root, "train2017/0.png", "val2017/0.png")
    for split in ("train", "val"):
        write_coco(root / "annotations" / f"instances_{split}2017.json", [picture(0, "0.png")], [])
    assert {entry.id: entry.split for entry in read_by_looking(root, "coco")} == {
        "train2017/0": "train",
        "val2017/0": "train",
    }


@pytest.mark.parametrize("seed", range(5))
def test_compressed_runs_are_expanded_as_pycocotools_does(seed):
    mask = np.random.default_rng(seed).random((40, 300)) < [0, 0.001, 0.1, 0.6, 1][seed]
    counts = expanded(runs_of(mask)["counts"].decode())
    assert sum(counts) == mask.size
    again = coco_mask.frPyObjects({"size": [40, 300], "counts": list(counts)}, 40, 300)
    np.testing.assert_array_equal(coco_mask.decode(again), mask)


@pytest.mark.parametrize("text", ["P", "0P", "a b", "ü", "PPPPPP0", "~"])
def test_text_that_is_no_run_lengths_is_refused(text):
    with pytest.raises(DataError, match="compressed run lengths"):
        expanded(text)


@pytest.mark.parametrize(
    ("images", "annotations", "message"),
    [
        ([picture(1, "b.png"), picture(2, "c.png")], [], r"a\.json names 2 images .*'b\.png', 'c\.png'"),
        ([picture(1, "../a.png")], [], r"names '\.\./a\.png': expected a path inside"),
        ([picture(1, "/etc/a.png")], [], r"names '/etc/a\.png': expected a path inside"),
        ([picture(1, "C:\\a.png")], [], "expected a path inside"),
        ([picture(1, "")], [], "expected a path inside"),
        ([picture(1, "a.png"), picture(2, "images/a.png")], [], "labelled twice"),
        ([picture(1, "a.png", height=0)], [], r"at images\.0\.height: .*greater than 0, got 0"),
        ([{"id": 1}], [], r"at images\.0\.file_name: Field required"),
        ([picture(1, "a.png")], [annotation(2, 0, bbox=[0, 0, 1, 1])], r"annotations\.0\.image_id.*got 2"),
        ([picture(1, "a.png")], [annotation(1, 3, bbox=[0, 0, 1, 1])], r"annotations\.0\.category_id.*got 3"),
        ([picture(1, "a.png")], [annotation(1, 0)], r"annotations\.0: expected a segmentation or a bbox"),
        ([picture(1, "a.png")], [annotation(1, 0, bbox=[0, 0, 0, 1])], r"annotations\.0: a box has x0 < x1"),
        ([picture(1, "a.png")], [annotation(1, 0, segmentation=[[0, 1, 2]])], "at least 3 corners, got 3"),
        ([picture(1, "a.png")], [annotation(1, 0, segmentation=["x"])], r"annotations\.0\.segmentation\.polygons\.0"),
        (
            [picture(1, "a.png")],
            [annotation(1, 0, segmentation={"size": [20, 30], "counts": [1, 2]})],
            "run lengths of 600 pixels in all, got 3",
        ),
        (
            [picture(1, "a.png")],
            [annotation(1, 0, segmentation={"size": [30, 20], "counts": [600]})],
            r"segmentation\.size is \[30, 20\]",
        ),
    ],
)
def test_what_is_wrong_in_a_coco_file_is_named(root, images, annotations, message):
    put(root, "images/a.png")
    write_coco(root / "a.json", images, annotations)
    with pytest.raises(DataError, match=message):
        read_catalog(root)


def test_a_coco_file_that_is_cut_off_is_named(root):
    put(root, "images/a.png")
    text = json.dumps({"categories": CATEGORIES, "images": [picture(1, "a.png")], "annotations": []})
    write_text(root / "a.json", text[:-3])
    with pytest.raises(DataError, match=r"a\.json: Invalid JSON"):
        read_catalog(root)


def test_an_image_that_two_names_fit_must_be_named_with_its_folder(root):
    put(root, "images/left/a.png", "images/right/a.png")
    write_coco(root / "a.json", [picture(1, "a.png")], [])
    with pytest.raises(DataError, match="name its folder as well"):
        read_catalog(root)
    write_coco(root / "a.json", [picture(1, "right/a.png")], [])
    assert [entry.id for entry in read_catalog(root)] == ["images/right/a"]


def test_links_are_followed_but_not_round_in_circles(root):
    put(root / ".disk", "a.png")
    (root / "images").symlink_to(root / ".disk")
    (root / ".disk" / "up").symlink_to(root)
    write_coco(root / "a.json", [picture(1, "a.png")], [])
    assert [entry.id for entry in read_catalog(root)] == ["images/a"]


def write_yolo(root, head="", names="names: {0: hole, 1: 'no', 5: good}", **labels):
    write_text(root / "data.yaml", f"{head}\ntrain: images/train\nval: images/val\n{names}\n")
    for name, text in labels.items():
        write_text(root / "labels" / "train" / f"{name}.txt", text)


BOX = f"{7 / 30} {5 / 20} {6 / 30} {6 / 20}"
OUTLINE = " ".join(str(each / (30, 20)[place % 2]) for place, each in enumerate(SQUARE))


def test_yolo_boxes_and_polygons(root):
    put(root, "images/train/a.png", "images/train/b.png", "images/train/c.png", "images/val/d.png")
    write_yolo(root, a=f"1 {BOX}\n0 {OUTLINE}\n\n", b="", c=f"5 {BOX}\n")
    catalog = read_by_looking(root, "yolo")
    assert seen(catalog) == {
        "images/train/a": ("no", [("no", SQUARE_BOX), ("hole", SQUARE_BOX)], "train"),
        "images/train/b": (GOOD, [], "train"),
        "images/train/c": (GOOD, [], "train"),
        "images/val/d": (GOOD, [], "train"),
    }
    assert [mask.approximate for mask in catalog.entries[0].masks] == [True, False]


def test_yolo_with_images_and_labels_in_each_split(root):
    put(root, "train/images/a.png", "test/images/b.png")
    write_text(root / "dataset.yaml", "train: ../train/images\ntest: [test/images]\nnames: [hole]\nnc: 1\n")
    write_text(root / "test/labels/b.txt", f"0 {BOX}")
    assert seen(read_by_looking(root, "yolo")) == {
        "train/images/a": (GOOD, [], "train"),
        "test/images/b": ("hole", [("hole", SQUARE_BOX)], "test"),
    }


def test_yolo_with_a_path_and_a_list_of_images(root):
    put(root, "inner/images/a.png", "inner/images/b.png")
    write_text(root / "data.yaml", f"path: {root / 'inner'}\ntrain: train.txt\nval: null\ntest: images\nnames: [hole]")
    write_text(root / "inner/train.txt", "./images/b.png\n\n")
    assert {entry.id: entry.split for entry in read_by_looking(root, "yolo")} == {
        "inner/images/b": None,
        "inner/images/a": "test",
    }
    write_text(root / "inner/train.txt", "train.txt\n")
    with pytest.raises(DataError, match="expected an image, one in each line"):
        read_catalog(root)


@pytest.mark.parametrize(
    ("head", "names", "label", "message"),
    [
        ("", "names: [hole]", "1 0.5 0.5 0.1 0.1", r"a\.txt, line 1 .*expected a class from \[0\], got 1"),
        ("", "names: [hole]", "\n0 0.5 0.5 0.1 x", r"a\.txt, line 2 .*'x'"),
        ("", "names: [hole]", "0 0.5 0.5 0.1", "at least 3 corners, got 3"),
        ("", "names: [hole]", "0 0.5 0.5 0.1 0.1 0.9", "at least 3 corners, got 5"),
        ("", "names: [hole]", "0 50 50 10 10", "from 0 to 1"),
        ("", "names: [hole]", "0 nan 0.5 0.1 0.1", "from 0 to 1"),
        ("", "names: [hole]", "0 0.5 0.5 0 0.1", "x0 < x1"),
        ("", "names: hole", "", "at names"),
        ("", "name: hole", "", "at names: Field required"),
        ("", "names: [[", "", r"data\.yaml is not readable as YAML"),
        ("", "names: !!int ''", "", r"data\.yaml is not readable as YAML"),
        ("path: ../other", "names: [hole]", "", "there is no"),
        ("path: a/../../other", "names: [hole]", "", r"expected a path inside"),
        ("path: /content/set", "names: [hole]", "", r"expected a path inside"),
        ("test: images/test", "names: [hole]", "", "there is no .*images/test"),
    ],
)
def test_what_is_wrong_in_yolo_files_is_named(root, head, names, label, message):
    put(root, "images/train/a.png", "images/val/b.png")
    (root.parent / "other" / "images").mkdir(parents=True)
    write_yolo(root, head, names, a=label)
    with pytest.raises(DataError, match=message):
        read_catalog(root, layout="yolo")


def voc(name, *objects, size=SIZE_HW):
    boxes = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>"
        for label, x0, y0, x1, y1 in objects
    )
    shape = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>1</depth></size>"
    return f"<?xml version='1.0'?><annotation><filename>{name}</filename>{shape}{boxes}</annotation>"


def test_voc_counts_pixels_from_one_and_holds_the_last(root):
    put(root, "JPEGImages/a.png", "JPEGImages/b.png", "JPEGImages/unlabelled.png", "SegmentationObject/a.png")
    write_text(root / "Annotations/a.xml", voc("a.png", ("hole", 5, 3, 10, 8), ("dent", 1, 1, 30, 20)))
    write_text(root / "Annotations/b.xml", voc("b.jpg"))
    write_text(root / "ImageSets/Main/test.txt", "b 1\n")
    write_text(root / "ImageSets/Main/trainval.txt", "a\nb\n")
    catalog = read_by_looking(root, "voc")
    assert seen(catalog) == {
        "JPEGImages/a": ("hole", [("hole", SQUARE_BOX), ("dent", (0, 0, 30, 20))], "train"),
        "JPEGImages/b": (GOOD, [], "test"),
    }
    assert all(mask.approximate for entry in catalog for mask in entry.masks)


def test_voc_objects_are_numbered_pixels_where_there_are_any(root):
    put(root, "JPEGImages/a.png", "JPEGImages/b.png", "JPEGImages/c.png")
    numbers = np.zeros((*SIZE_HW, 1), np.uint8)
    numbers[2:8, 4:10], numbers[2, 4] = 2, 255
    write_image(root / "SegmentationObject/a.png", numbers)
    write_image(root / "SegmentationObject/b.png", numbers + np.uint8(1))
    (root / "SegmentationObject/c.png").write_bytes(b"no picture")
    for name in "abc":
        objects = ("dent", 1, 1, 30, 20), ("hole", 5, 3, 10, 8)
        write_text(root / f"Annotations/{name}.xml", voc(f"{name}.png", *objects))
    first, second, third = read_catalog(root, layout="voc")
    dent, hole = load_sample(first).defects
    assert (first.label, hole.label, int(hole.mask.sum())) == ("dent", "hole", 35), "255 is nobody's"
    assert (dent.label, dent.box_xyxy) == ("dent", (0.0, 0.0, 30.0, 20.0)), "an object that is hidden keeps its box"
    assert [mask.approximate for mask in first.masks] == [True, False]
    assert all(mask.approximate for mask in second.masks), "there is no third object"
    problems = check(read_catalog(root, layout="voc"))
    assert {problem.kind for problem in problems if problem.file.name == "c.png"} == {"unreadable"}
    assert len(third.masks) == 2


def test_voc_beside_the_images_and_in_boxes(root):
    put(root, "train/a.png", "test/images/a.png")
    write_text(root / "train/a.xml", voc("a.png", ("hole", 5.0, 3, 10, 8)))
    write_text(root / "test/boxes/a.xml", voc("other/place/a.png"))
    assert seen(read_by_looking(root, "voc")) == {
        "train/a": ("hole", [("hole", SQUARE_BOX)], "train"),
        "test/images/a": (GOOD, [], "test"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (voc("c.png"), r"Annotations names 1 images .*'c\.png'"),
        (voc("../a.png"), "expected a path inside"),
        (voc("a.png", ("hole", 9, 3, 5, 8)), r"b\.xml, object 1: .*x0 < x1"),
        (voc("a.png", ("hole", 5, 3, "wide", 8)), r"object 1: .*'wide'"),
        (voc("a.png", ("", 5, 3, 10, 8)), "empty name"),
        (voc("a.png").replace("<bndbox>", "").replace("<size>", "<size"), "not readable as XML"),
        (voc("a.png", ("hole", 5, 3, 10, 8)).replace("xmin", "left"), "object 1: .*'xmin': None"),
        (voc("a.png", size=("high", 3)), "height and width"),
        ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'hole'>]><annotation>&x;</annotation>", "document type"),
        ("<html><annotation/></html>", "outermost element, got <html>"),
        ("<annotation>", "not readable as XML"),
    ],
)
def test_what_is_wrong_in_a_voc_file_is_named(root, text, message):
    put(root, "images/a.png")
    write_text(root / "Annotations/b.xml", text)
    with pytest.raises(DataError, match=message):
        read_catalog(root, layout="voc")


RUNS = " ".join(f"{column * SIZE_HW[0] + 3} 6" for column in range(4, 10))


def test_severstal_tables(root):
    put(root, "train_images/a.png", "train_images/b.png", "train_images/c.png", "test_images/a.png")
    write_text(root / "train.csv", f'ImageId,ClassId,EncodedPixels\na.png,3,{RUNS}\n"a.png",1,1 2\nb.png,4,\n')
    write_text(root / "sample_submission.csv", "ImageId,EncodedPixels,ClassId\na.png,1 1,0\n")
    assert seen(read_by_looking(root, "rle_csv")) == {
        "train_images/a": ("3", [("3", SQUARE_BOX), ("1", (0, 0, 1, 2))], "train"),
        "train_images/b": (GOOD, [], "train"),
        "train_images/c": (GOOD, [], "train"),
    }


def test_run_length_tables_of_other_spellings(root):
    put(root, "images/a.png", "images/b_1.png", "images/c.png")
    write_text(root / "labels.csv", f"ImageId_ClassId;EncodedPixels\r\na.png_2;{RUNS}\r\nb_1.png_2;-1\r\n")
    assert seen(read_by_looking(root, "rle_csv"))["images/a"] == ("2", [("2", SQUARE_BOX)], None)
    write_text(root / "labels.csv", f"\ufeffimage_id,Encoded Pixels\nb_1,{RUNS}\nb_1,1 1\n")
    catalog = read_catalog(root)
    assert {entry.id: entry.label for entry in catalog} == {"images/b_1": "defect", "images/a": GOOD, "images/c": GOOD}
    assert len(catalog.entries[0].masks) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.png,1,1 2", r"labels\.csv names 1 images .*'b\.png'"),
        ("../a.png,1,1 2", "expected a path inside"),
        ("a.png,1,1", r"labels\.csv, line 2: expected pairs"),
        ("a.png,1,0 5", r"line 2: .*'0 5'"),
        ("a.png,1,1 5 3 2", r"line 2: .*do not overlap, got the run '3 2'"),
        ("a.png,1,1 x", r"line 2: .*'x'"),
        ("a.png,1", "line 2: expected 3 cells, got 2"),
        (",1,1 2", "expected an image and a class"),
    ],
)
def test_what_is_wrong_in_a_run_length_table_is_named(root, row, message):
    put(root, "images/a.png")
    write_text(root / "labels.csv", f"ImageId,ClassId,EncodedPixels\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_catalog(root)


def test_runs_of_long_masks_are_read(root):
    put(root, "images/a.png")
    long = " ".join(f"{2 * number + 1} 1" for number in range(20_000))
    write_text(root / "labels.csv", f"ImageId,ClassId,EncodedPixels\na.png,1,{long}\n")
    assert len(read_catalog(root).entries[0].masks[0].numbers[0]) == 40_000


def test_mask_pictures_go_before_label_files_and_these_before_folder_names(root):
    put(root, "images/hole/a.png")
    write_text(root / "boxes/a.xml", voc("a.png", ("hole", 5, 3, 10, 8)))
    assert detect(root) == "voc"
    write_mask(root / "masks/hole/a.png", np.eye(*SIZE_HW, dtype=bool))
    assert detect(root) == "folder"
    assert read_catalog(root, layout="voc").entries[0].masks[0].approximate


def test_two_kinds_of_label_files_must_be_named(root):
    put(root, "images/a.png")
    write_text(root / "boxes/a.xml", voc("a.png"))
    write_coco(root / "a.json", [picture(1, "a.png")], [])
    with pytest.raises(LayoutError, match="2 ways"):
        detect(root)


def test_layouts_of_pictures_are_recognised_by_one_reader_only(root):
    put(root, "good/a.png", "hole/b.png")
    write_text(root / "groups.csv", "file,group\nb.png,1\n")
    write_text(root / "notes.json", '{"images": 3}')
    assert [name for name in READERS if READERS[name].recognises(root)] == ["folder"]


def test_checks_tell_of_boxes_and_of_labels_that_do_not_fit(root):
    put(root, *(f"images/{number}.png" for number in range(7)))
    images = [picture(number, f"{number}.png") for number in range(7)]
    images[3]["height"] = 21
    outside = [40.0, 2.0, 50.0, 2.0, 50.0, 9.0]
    holes = [annotation(number, 0, bbox=[4, 2, 6, 6]) for number in range(3)]
    others = [annotation(3, 0, segmentation=[SQUARE]), annotation(2, 0, segmentation=[outside])]
    write_coco(root / "a.json", images, [*holes, *others])
    problems = check(read_catalog(root))
    assert [(problem.kind, problem.severity, problem.file.name) for problem in problems] == [
        ("empty_mask", "warning", "a.json"),
        ("mask_size", "error", "3.png"),
        ("box_masks", "note", "a.json"),
    ]
    assert "no pixel of the image" in problems[0].message
    assert "image of 30 x 21 pixels, but its image is 30 x 20" in problems[1].message
    assert "3 of 5 masks" in problems[2].message


def test_the_digest_is_of_the_labels_and_not_of_where_they_lie(root):
    put(root, "images/a.png")
    write_coco(root / "a.json", [picture(1, "a.png")], [annotation(1, 0, segmentation=[SQUARE])])
    before = catalog_digest(read_catalog(root))
    moved = root.rename(root.parent / "moved")
    assert catalog_digest(read_catalog(moved)) == before
    write_coco(moved / "a.json", [picture(1, "a.png")], [annotation(1, 0, bbox=[4, 2, 6, 6])])
    assert catalog_digest(read_catalog(moved)) != before
