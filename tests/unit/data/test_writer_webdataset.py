"""Shards: how they are cut, and that they are the same every time."""

import io
import json
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from shelf import BIRTH, SIZE_HW, Shelf, mixed, ring, rows, square

from flawsmith.core.files import sha256_tree
from flawsmith.data.writers import WRITERS
from flawsmith.data.writers.webdataset import write_shards


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "in")


def names(shard):
    with tarfile.open(shard) as tar:
        return tar.getnames()


def test_an_image_its_mask_and_its_words_are_neighbours(shelf, tmp_path):
    WRITERS["webdataset"](mixed(shelf), tmp_path / "out")
    assert names(tmp_path / "out/train/synthetic/shard-000000.tar") == [
        "synthetic_000.png",
        "synthetic_000.mask.png",
        "synthetic_000.json",
        "synthetic_001.png",
        "synthetic_001.mask.png",
        "synthetic_001.json",
    ]
    assert names(tmp_path / "out/train/real/shard-000000.tar")[::3] == ["real_000.bmp", "real_002.png"]
    assert names(tmp_path / "out/val/real/shard-000000.tar")[::3] == ["real_001.tiff", "real_003.png"]


def test_the_words_say_where_an_image_comes_from_and_what_is_in_it(shelf, tmp_path):
    WRITERS["webdataset"](mixed(shelf), tmp_path / "out")
    with tarfile.open(tmp_path / "out/train/synthetic/shard-000000.tar") as tar:
        said = json.load(tar.extractfile("synthetic_000.json"))
        mask = np.array(Image.open(io.BytesIO(tar.extractfile("synthetic_000.mask.png").read())))
    assert (said["label"], said["origin"], said["split"], said["birth"]) == ("dent", "synthetic", "train", BIRTH)
    assert said["source"] == "dent/00000"
    assert said["boxes_xyxy"] == [[0, 0, 5, 5], [50, 30, 70, 50]]
    assert said["labels"] == ["dent", "dent"]
    assert said["size_hw"] == list(SIZE_HW)
    assert (mask == square(0, 0, 5) + 2 * square(30, 50, 20)).all()


def test_shards_hold_no_more_images_than_told(shelf, tmp_path):
    items = [shelf.item(f"good/{number}") for number in range(7)]
    write_shards(items, tmp_path / "out", 3, 10**9)
    shards = sorted((tmp_path / "out/train/real").iterdir())
    assert [path.name for path in shards] == [f"shard-00000{number}.tar" for number in range(3)]
    assert [len(names(path)) // 3 for path in shards] == [3, 3, 1]
    assert [row["shard"][-5] for row in rows(tmp_path / "out")] == list("0001112")


def test_shards_hold_no_more_bytes_than_told_but_at_least_one_image(shelf, tmp_path):
    items = [shelf.item(f"good/{number}", pixels=np.zeros((*SIZE_HW, 1), np.uint8)) for number in range(5)]
    items.insert(2, shelf.item("good/large"))
    write_shards(items, tmp_path / "out", 10, 2000)
    shards = sorted((tmp_path / "out/train/real").iterdir())
    assert [len(names(path)) // 3 for path in shards] == [2, 1, 3]


def test_the_bytes_do_not_tell_when_or_by_whom(shelf, tmp_path):
    items = mixed(shelf)
    WRITERS["webdataset"](items, tmp_path / "one")
    for item in items:
        item.entry.image.touch()
    WRITERS["webdataset"](items, tmp_path / "two")
    assert sha256_tree(tmp_path / "one") == sha256_tree(tmp_path / "two")
    with tarfile.open(tmp_path / "one/train/real/shard-000000.tar") as tar:
        assert {(head.mtime, head.uid, head.gid, head.uname, head.mode) for head in tar} == {(0, 0, 0, "", 0o644)}


def test_more_instances_than_a_byte_counts(shelf, tmp_path):
    pixels = np.zeros((3, 100, 1), np.uint8)
    masks = [np.arange(300).reshape(3, 100) == number for number in range(300)]
    WRITERS["webdataset"]([shelf.item("dent/0", "dent", masks, synthetic=True, pixels=pixels)], tmp_path / "out")
    with tarfile.open(tmp_path / "out/train/synthetic/shard-000000.tar") as tar:
        found = np.array(Image.open(io.BytesIO(tar.extractfile("synthetic_000.mask.png").read())))
        said = json.load(tar.extractfile("synthetic_000.json"))
    assert found.max() == len(said["labels"]) == 300


def test_unlocated_images_are_files_beside_the_shards(shelf, tmp_path):
    WRITERS["webdataset"]([shelf.item("dent/0", "dent"), shelf.item("dent/1", "dent", [ring()])], tmp_path / "out")
    assert (tmp_path / "out/unlocated/real/dent/000.png").is_file()
    assert names(tmp_path / "out/train/real/shard-000000.tar")[0] == "real_000.png"


def test_one_image_is_in_memory_at_a_time(shelf, tmp_path):
    pixels = shelf.rng.integers(0, 256, (400, 400, 3)).astype(np.uint8)
    items = [shelf.item(f"good/{number}", pixels=pixels) for number in range(40)]
    tracemalloc.start()
    WRITERS["webdataset"](items, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * pixels.nbytes
