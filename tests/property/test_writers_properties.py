"""What is read back is what was written, for any items and in every format, by our readers and by those of others."""

import csv
import io
import json
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_items import SETS, make
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage

from flawsmith.core.records import GOOD
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS
from flawsmith.data.writers import WRITERS
from flawsmith.data.writers.items import safe_name
from flawsmith.data.writers.visa import visa_name
from flawsmith.data.writers.voc import xml_text
from flawsmith.data.writers.webdataset import write_shards

SEEDS = st.integers(0, 2**32 - 1)


def exported(write):
    """Return a decorator: the test gets the folder that `write` made of odd items, and those by their file there."""

    def decorate(check):
        @settings(max_examples=40, deadline=None)
        @given(SETS, SEEDS)
        def test(wishes, seed):
            with tempfile.TemporaryDirectory() as folder:
                made = make(wishes, Path(folder) / "in", seed)
                out = Path(folder) / "out"
                write([item for item, _, _ in made], out)
                lines = (out / "manifest.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
                rows = [json.loads(line) for line in lines]
                check(out, {row["file"]: each for row, each in zip(rows, made, strict=True) if row["located"]}, rows)

        return test

    return decorate


def grey(image):
    with image:
        return np.array(image)


def check_entries(catalog, items, root):
    found = {entry.image.relative_to(root).as_posix(): entry for entry in catalog}
    assert found.keys() == items.keys()
    for file, entry in found.items():
        item, pixels, mask = items[file]
        sample = load_sample(entry)
        assert sample.label == (GOOD if item.entry.label == GOOD else safe_name(item.entry.label))
        assert sample.image.dtype == pixels.dtype
        np.testing.assert_array_equal(sample.image, pixels)
        np.testing.assert_array_equal(sample.mask, mask)


@exported(WRITERS["mvtec"])
def test_mvtec(out, items, rows):
    real = {file: each for file, each in items.items() if not each[0].synthetic}
    check_entries(READERS["mvtec"].read(out), real, out)


@exported(WRITERS["folder"])
def test_folder(out, items, rows):
    for name in ("real", "synthetic"):
        if (out / name).is_dir():
            made = {row["file"] for row in rows if row["file"].startswith(f"{name}/")}
            catalog = READERS["folder"].read(out / name)
            assert {entry.image.relative_to(out).as_posix() for entry in catalog} == made
            located = catalog.with_entries(
                entry for entry in catalog if entry.image.relative_to(out).as_posix() in items
            )
            check_entries(located, {file: each for file, each in items.items() if file in made}, out)


def check_coco(out, items, rows):
    seen = set()
    for folder in (path.parent for path in out.glob("*/annotations.json")):
        coco = COCO(folder / "annotations.json")
        names = {each["id"]: each["name"] for each in coco.dataset["categories"]}
        for row in coco.dataset["images"]:
            file = f"{folder.name}/{row['file_name']}"
            item, _, mask = items[file]
            annotations = coco.loadAnns(coco.getAnnIds(row["id"]))
            union = np.zeros(mask.shape, bool)
            for each in annotations:
                one = coco.annToMask(each).astype(bool)
                assert (int(one.sum()), each["iscrowd"]) == (each["area"], 0)
                union |= one
            np.testing.assert_array_equal(union, mask)
            assert (row["height"], row["width"]) == mask.shape
            assert {names[each["category_id"]] for each in annotations} == {item.entry.label} - {GOOD}
            seen.add(file)
    assert seen == items.keys()


test_coco = exported(WRITERS["coco"])(check_coco)


@exported(WRITERS["coco_polygons"])
def test_coco_polygons(out, items, rows):
    check_coco(out, items, rows)
    for path in out.glob("*/annotations.json"):
        assert all(isinstance(each["segmentation"], list) for each in json.loads(path.read_text())["annotations"])


def yolo_rows(out, items):
    """Yield each item with its labels as the format documents them: class, then numbers as shares of the image."""
    names = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))["names"]
    labels = {path.relative_to(out / "labels").with_suffix("").as_posix() for path in out.glob("labels/*/*.txt")}
    assert labels == {Path(file).relative_to("images").with_suffix("").as_posix() for file in items}
    for file, (item, _, mask) in items.items():
        path = out / "labels" / Path(file).relative_to("images").with_suffix(".txt")
        lines = [line.split() for line in path.read_text().splitlines()]
        assert {names[int(line[0])] for line in lines} == {item.entry.label} - {GOOD}
        values = [np.array(line[1:], float).reshape(-1, 2) for line in lines]
        assert all(((each >= 0) & (each <= 1)).all() for each in values)
        yield item, mask, [each * mask.shape[::-1] for each in values]


@exported(WRITERS["yolo"])
def test_yolo(out, items, rows):
    for _, mask, boxes in yolo_rows(out, items):
        covered = np.zeros(mask.shape, bool)
        for centre, side in boxes:
            (left, top), (right, bottom) = (np.rint(centre + sign * side / 2).astype(int) for sign in (-1, 1))
            inside = mask[top:bottom, left:right]
            assert inside[[0, -1]].any(1).all()
            assert inside[:, [0, -1]].any(0).all()
            covered[top:bottom, left:right] = True
        assert covered[mask].all()


@exported(WRITERS["yolo_segment"])
def test_yolo_segment(out, items, rows):
    for item, mask, polygons in yolo_rows(out, items):
        drawn = np.zeros(mask.shape, bool)
        if polygons:
            coded = coco_mask.frPyObjects([each.ravel().tolist() for each in polygons], *mask.shape)
            drawn = coco_mask.decode(coco_mask.merge(coded)).astype(bool)
        filled = [ndimage.binary_fill_holes(each.mask, np.ones((3, 3))) for each in load_sample(item.entry).defects]
        np.testing.assert_array_equal(drawn, np.logical_or.reduce([np.zeros(mask.shape, bool), *filled]))


@exported(WRITERS["voc"])
def test_voc(out, items, rows):
    sets = {path.stem: path.read_text().split() for path in (out / "ImageSets/Main").iterdir()}
    assert sorted(stem for stems in sets.values() for stem in stems) == sorted(Path(file).stem for file in items)
    classes = (out / "classes.txt").read_text(encoding="utf-8").split("\n")[:-1]
    for file, (item, pixels, mask) in items.items():
        stem = Path(file).stem
        assert stem in sets[item.split]
        root = ElementTree.parse(out / "Annotations" / f"{stem}.xml").getroot()
        assert root.findtext("filename") == Path(file).name
        assert root.findtext("source/image") == item.origin
        size = [int(root.findtext(f"size/{name}")) for name in ("height", "width", "depth")]
        assert tuple(size) == pixels.shape
        owner = grey(Image.open(out / "SegmentationObject" / f"{stem}.png"))
        kinds = grey(Image.open(out / "SegmentationClass" / f"{stem}.png"))
        np.testing.assert_array_equal(owner > 0, mask)
        objects = root.findall("object")
        assert {each.findtext("name") for each in objects} == {xml_text(item.entry.label)} - {GOOD}
        covered = np.zeros(mask.shape, bool)
        for number, each in enumerate(objects, start=1):
            assert {classes[kind - 1] for kind in np.unique(kinds[owner == number])} <= {each.findtext("name")}
            left, top, right, bottom = (int(each.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax"))
            assert 1 <= left <= right <= mask.shape[1]
            assert 1 <= top <= bottom <= mask.shape[0]
            inside = np.zeros(mask.shape, bool)
            inside[top - 1 : bottom, left - 1 : right] = True
            assert inside[owner == number].all()
            covered |= inside
        assert not (mask & ~covered).any()


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@exported(WRITERS["visa"])
def test_visa(out, items, rows):
    classes = json.loads((out / "id2class.json").read_text(encoding="utf-8"))
    notes = {row["image"]: row for name in ("real", "synthetic") for row in table(out / name / "image_anno.csv")}
    for name, with_defects in (("1cls", False), ("2cls_highshot", True)):
        found = {row["image"]: row for row in table(out / "split_csv" / f"{name}.csv")}
        assert found.keys() == notes.keys() == items.keys()
        for file, row in found.items():
            item, _, mask = items[file]
            assert row["object"] == item.origin == file.split("/")[0]
            assert row["label"] == ("anomaly" if mask.any() else "normal")
            assert (row["split"] == "train") == (item.split == "train" and (with_defects or not mask.any()))
            assert row["mask"] == notes[file]["mask"]
            assert notes[file]["label"] == (visa_name(item.entry.label) if mask.any() else "normal")
            if row["mask"]:
                assert Path(row["mask"]).stem == Path(file).stem
                drawn = grey(Image.open(out / row["mask"]))
                np.testing.assert_array_equal(drawn > 0, mask)
                assert {classes[row["object"]][str(kind)] for kind in np.unique(drawn[mask])} == {item.entry.label}


SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def as_anomalib_does(root, arguments):
    """Pair images and masks by sorting whole paths, as `anomalib.data.Folder` documents it."""
    lists = defaultdict(list)
    for kind in ("normal_dir", "normal_test_dir", "abnormal_dir", "mask_dir"):
        names = arguments.get(kind, [])
        for name in [names] if isinstance(names, str) else names:
            assert name.isascii()
            files = [path for path in (root / name).glob("**/*") if path.suffix.lower() in SUFFIXES]
            assert files, f"{name} holds no images"
            lists[kind] += files
        lists[kind].sort(key=str)
    assert len(lists["abnormal_dir"]) == len(lists["mask_dir"])
    for image, mask in zip(lists["abnormal_dir"], lists["mask_dir"], strict=True):
        assert image.stem == mask.stem
    return lists


@exported(WRITERS["anomalib"])
def test_anomalib(out, items, rows):
    for name, origins in (("real", {"real"}), ("real_and_synthetic", {"real", "synthetic"})):
        spoken = yaml.safe_load((out / f"{name}.yaml").read_text())
        lists = as_anomalib_does(out, spoken["init_args"])
        kinds = {"normal_dir": set(), "normal_test_dir": set(), "abnormal_dir": set()}
        for file, (item, _, mask) in items.items():
            good = "normal_dir" if item.split == "train" else "normal_test_dir"
            if item.origin in origins:
                kinds["abnormal_dir" if mask.any() else good].add(file)
        assert {kind: {path.relative_to(out).as_posix() for path in lists[kind]} for kind in kinds} == kinds
        for image, mask in zip(lists["abnormal_dir"], lists["mask_dir"], strict=True):
            drawn = grey(Image.open(mask)) > 0
            np.testing.assert_array_equal(drawn, items[image.relative_to(out).as_posix()][2])


def streamed(shard):
    """The samples of a shard as WebDataset groups them: neighbours whose names agree up to the first dot."""
    samples = []
    with tarfile.open(shard) as tar:
        for member in tar:
            key, _, field = member.name.partition(".")
            if not samples or samples[-1]["__key__"] != key:
                samples.append({"__key__": key})
            assert field not in samples[-1]
            samples[-1][field] = tar.extractfile(member).read()
    return samples


@exported(lambda items, out: write_shards(items, out, 2, 3000))
def test_webdataset(out, items, rows):
    keys = []
    for path in sorted(out.glob("*/*/*.tar")):
        samples = streamed(path)
        sizes = [sum(len(each[field]) for field in each if field != "__key__") for each in samples]
        assert len(samples) == 1 or (len(samples) == 2 and sum(sizes) <= 3000)
        for sample in samples:
            said = json.loads(sample["json"])
            (field,) = sample.keys() - {"__key__", "json", "mask.png"}
            item, _, mask = items[f"{sample['__key__']}.{field}"]
            assert sample[field] == item.entry.image.read_bytes()
            assert path.parent.relative_to(out).as_posix() == f"{item.split}/{item.origin}"
            assert (said["label"], said["origin"], said["birth"]) == (item.entry.label, item.origin, item.birth)
            owner = grey(Image.open(io.BytesIO(sample["mask.png"])))
            np.testing.assert_array_equal(owner > 0, mask)
            assert owner.max(initial=0) <= len(said["boxes_xyxy"]) == len(said["labels"])
            for number, (left, top, right, bottom) in enumerate(said["boxes_xyxy"], start=1):
                rows_of, columns_of = np.nonzero(owner == number)
                assert ((top <= rows_of) & (rows_of < bottom) & (left <= columns_of) & (columns_of < right)).all()
            keys.append(sample["__key__"])
    assert sorted(keys) == sorted(file.split(".")[0] for file in items)
