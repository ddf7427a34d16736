"""Exports opened by the tools they are for, where those are installed."""

import json
import warnings

import numpy as np
import pytest
import yaml
from shelf import Shelf, mixed, ring

from flawsmith.data.writers import WRITERS


@pytest.fixture
def export(tmp_path):
    def write(name):
        WRITERS[name](mixed(Shelf(tmp_path / "in")), tmp_path / name)
        return tmp_path / name

    return write


def supervision():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("supervision", reason="supervision is not installed")


BOXES = {
    "synthetic_000": [[0, 0, 5, 5], [50, 30, 70, 50]],
    "synthetic_001": [[65, 45, 70, 50]],
    "real_000": [],
    "real_001": [],
    "real_002": [[4, 3, 13, 12]],
    "real_003": [[10, 10, 30, 30]],
}


def found_in(dataset):
    return {path.rsplit("/", 1)[1].split(".")[0]: found for path, found in dataset.annotations.items()}


def test_supervision_opens_voc(export):
    out = export("voc")
    opened = supervision().DetectionDataset.from_pascal_voc(str(out / "JPEGImages"), str(out / "Annotations"))
    found = found_in(opened)
    assert {name: each.xyxy.tolist() for name, each in found.items()} == BOXES
    assert [opened.classes[number] for number in found["real_002"].class_id] == ["Kratzer groß"]


@pytest.mark.parametrize("name", ["yolo", "yolo_segment"])
def test_supervision_opens_yolo(export, name):
    out = export(name)
    opened = supervision().DetectionDataset.from_yolo(
        str(out / "images/train"), str(out / "labels/train"), str(out / "data.yaml")
    )
    wanted = {name: BOXES[name] for name in ("real_000", "synthetic_000", "synthetic_001")}
    found = found_in(opened)
    for name, boxes in wanted.items():
        np.testing.assert_allclose(found[name].xyxy, np.reshape(boxes, (-1, 4)), atol=1)
    assert opened.classes == ["Kratzer groß", "dent"]


@pytest.mark.parametrize("name", ["coco", "coco_polygons"])
def test_supervision_opens_coco(export, name):
    out = export(name) / "val"
    opened = supervision().DetectionDataset.from_coco(str(out), str(out / "annotations.json"))
    found = found_in(opened)
    assert found["000"].xyxy.tolist() == []
    assert found["001"].xyxy.tolist() == [[10, 10, 30, 30]]
    (mask,) = found["001"].mask
    # It draws polygons with the pixels right of and below their edges, run lengths as they are.
    assert (mask & ring()).sum() / (mask | ring()).sum() > (0.85 if name == "coco_polygons" else 0.999)


def test_webdataset_streams_the_shards(export):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    shard = export("webdataset") / "train/synthetic/shard-000000.tar"
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["synthetic_000", "synthetic_001"]
    assert json.loads(samples[1]["json"])["boxes_xyxy"] == BOXES["synthetic_001"]
    assert {"png", "mask.png", "json"} <= samples[0].keys()


@pytest.mark.parametrize(("name", "defects"), [("real", 2), ("real_and_synthetic", 4)])
def test_anomalib_pairs_every_defect_with_its_mask(export, name, defects):
    folder = pytest.importorskip("anomalib.data.datasets.image.folder", reason="anomalib is not installed")
    out = export("anomalib")
    arguments = yaml.safe_load((out / f"{name}.yaml").read_text())["init_args"]
    tested = [*folder.FolderDataset(**{**arguments, "root": out}, split="test")]
    assert sum(bool(item.gt_label) for item in tested) == defects
    assert all(bool(item.gt_mask.any()) == bool(item.gt_label) for item in tested)
    assert len(folder.FolderDataset(**{**arguments, "root": out}, split="train")) == 1
