"""What the writers of label files write, the readers of label files read back."""

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from flawsmith.core.records import GOOD, Defect, Entry, MaskFile
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import detect, read_catalog
from flawsmith.data.writers import WRITERS, ExportItem
from flawsmith.data.writers.numbered import numbered
from flawsmith.data.writers.outlines import instances_of

BIRTH = {"id": "x/0", "generator": "local", "seed": 3}
LABELS = st.sampled_from(["hole", "Kratzer groß", "no", "12", "a/b: c", "null", "[x]", "é, 'q'"])
SPLITS = st.sampled_from(["train", "val", "test"])
SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


def field(seed, size_hw, sigma, share):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(size_hw), sigma)
    return noise > np.quantile(noise, 1 - share)


def blob(mask):
    """The largest part of a mask, without holes."""
    parts, count = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())[1:]
    return ndimage.binary_fill_holes(parts == 1 + int(sizes.argmax())) if count else mask


MASKS = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.7, 2.0, 5.0]), st.floats(0.02, 1.0))
ROWS = st.lists(st.tuples(SIZES, LABELS, st.lists(MASKS, max_size=3), st.booleans(), SPLITS), min_size=1, max_size=4)


def items_of(rows, folder, shape):
    """Entries on disk; a row without masks is a good image, or one of which only the class is known."""
    for number, (size_hw, label, masks, flag, split) in enumerate(rows):
        image, files = folder / f"{number}.png", []
        write_image(image, np.full((*size_hw, 1), number, np.uint8))
        for place, (seed, sigma, share) in enumerate(masks):
            mask = shape(field(seed, size_hw, sigma, share))
            path = folder / f"{number}_{place}_mask.png"
            write_mask(path, mask)
            files += [MaskFile(path, label)] if mask.any() else []
        entry = Entry(f"{number}", image, label if files or flag else GOOD, f"{number}", tuple(files))
        yield ExportItem(entry, flag, split, BIRTH if flag else None)


def there_and_back(rows, layout, shape, reader):
    """Pairs of what was written and what was read: the split, and each instance's class and mask."""
    with tempfile.TemporaryDirectory() as folder:
        items = list(items_of(rows, Path(folder, "in"), shape))
        out = Path(folder, "out")
        WRITERS[layout](items, out)
        located = [item for item in items if item.entry.label == GOOD or item.entry.masks]
        if not located:
            return []
        assert detect(out) == reader
        read = {entry.image.relative_to(out).as_posix(): entry for entry in read_catalog(out)}
        manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
        files = {row["source"]: row["file"] for row in manifest if row["located"]}
        assert sorted(read) == sorted(files.values())
        pairs = []
        for item in located:
            entry = read[files[item.entry.id]]
            before, after = list(instances_of(item, load_sample(item.entry).defects)), load_sample(entry)
            assert after.label == item.entry.label
            assert entry.split == ("test" if item.split == "test" else "train")
            assert [defect.label for defect in after.defects] == [defect.label for defect in before]
            pairs += zip(before, after.defects, strict=True)
        return pairs


@settings(max_examples=12, deadline=None)
@given(ROWS)
def test_coco_gives_the_same_masks(rows):
    for before, after in there_and_back(rows, "coco", lambda mask: mask, "coco"):
        np.testing.assert_array_equal(after.mask, before.mask)


@settings(max_examples=12, deadline=None)
@given(ROWS)
def test_yolo_gives_the_same_boxes(rows):
    for before, after in there_and_back(rows, "yolo", lambda mask: mask, "yolo"):
        assert after.box_xyxy == before.box_xyxy
        left, top, right, bottom = before.box_xyxy
        assert after.mask.sum() == (right - left) * (bottom - top)


@settings(max_examples=12, deadline=None)
@given(ROWS)
def test_yolo_polygons_of_blobs_give_nearly_the_same_masks(rows):
    for before, after in there_and_back(rows, "yolo_segment", blob, "yolo"):
        assert after.box_xyxy == before.box_xyxy
        if before.mask.sum() >= 100:
            assert (after.mask & before.mask).sum() / (after.mask | before.mask).sum() > 0.9


def written(rows, layout, check):
    """Export rows and hand over the folder, with each located item by its file there."""
    with tempfile.TemporaryDirectory() as folder:
        items = list(items_of(rows, Path(folder, "in"), lambda mask: mask))
        out = Path(folder, "out")
        WRITERS[layout](items, out)
        manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
        by_id = {item.entry.id: item for item in items}
        located = {row["file"]: by_id[row["source"]] for row in manifest if row["located"]}
        assert len(located) == sum(item.entry.label == GOOD or bool(item.entry.masks) for item in items)
        if located:
            check(out, located)


def read_back(out, layout, located):
    """Pairs of an item and the sample and entry that were read for it."""
    found = {entry.image.relative_to(out).as_posix(): entry for entry in read_catalog(out, layout)}
    assert sorted(found) == sorted(located)
    for file, entry in found.items():
        item, sample = located[file], load_sample(entry)
        np.testing.assert_array_equal(sample.image, load_sample(item.entry).image)
        yield item, entry, sample


def check_voc(out, located):
    for item, entry, sample in read_back(out, "voc", located):
        before = list(instances_of(item, load_sample(item.entry).defects))
        assert sample.label == item.entry.label
        assert entry.split == ("test" if item.split == "test" else "train")
        assert [(each.label, each.box_xyxy) for each in sample.defects] == [
            (each.label, each.box_xyxy) for each in in_front(before)
        ]


def in_front(defects):
    """What VOC's pictures can tell of instances that overlap: what is seen of each, or its box where nothing is."""
    if not defects:
        return []
    owner = numbered(defects, defects[0].mask.shape).owner
    seen = [(each, owner == number) for number, each in enumerate(defects, start=1)]
    return [Defect(each.label, mask) if mask.any() else each for each, mask in seen]


@settings(max_examples=12, deadline=None)
@given(ROWS)
def test_voc_gives_the_boxes_of_what_is_seen(rows):
    written(rows, "voc", check_voc)
