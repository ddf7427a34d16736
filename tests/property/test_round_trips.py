"""What each writer wrote, our own reader of the format reads back: the same images, labels, splits and defects.

Sets are odd in every way that `odd_items` knows, empty ones included, and images show defects of several classes.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_items import LABELS, SETS, Wish, make

from flawsmith.core.errors import LayoutError
from flawsmith.core.records import GOOD, MaskFile
from flawsmith.data.image_io import write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, read_catalog
from flawsmith.data.unpacking import unpacked
from flawsmith.data.writers import WRITERS
from flawsmith.data.writers.items import safe_name
from flawsmith.data.writers.numbered import numbered
from flawsmith.data.writers.outlines import instances_of, outer_outlines
from flawsmith.data.writers.visa import visa_name
from flawsmith.data.writers.voc import xml_text

SEEDS = st.integers(0, 2**32 - 1)


def masks(item, sample):
    """Each instance with its mask."""
    return [(each.label, each.mask) for each in instances_of(item, sample.defects)]


def owned(item, sample):
    """Each instance with the pixels that are its own: of several, the smallest has them."""
    found = numbered(instances_of(item, sample.defects), sample.size_hw)
    own = [(label, found.owner == number) for number, label in enumerate(found.labels, start=1)]
    return [(label, mask) for label, mask in own if mask.any()]


def owned_or_boxed(item, sample):
    """The same, but one that has no pixel of its own keeps its box, filled."""
    found = numbered(instances_of(item, sample.defects), sample.size_hw)
    own = [found.owner == number for number in range(1, len(found.labels) + 1)]
    boxed = [filled(box, sample.size_hw) for box in found.boxes_xyxy]
    shown = [mask if mask.any() else box for mask, box in zip(own, boxed, strict=True)]
    return list(zip(found.labels, shown, strict=True))


def boxes(item, sample):
    """Each instance with its box, filled."""
    return [(each.label, filled(each.box_xyxy, sample.size_hw)) for each in instances_of(item, sample.defects)]


def parts(item, sample):
    """Each part of each instance with its box, filled: holes are lost, and parts that lie in them are apart."""
    whole = [(each.label, outer_outlines(each.mask)) for each in instances_of(item, sample.defects)]
    return [(label, filled((*line.min(0), *line.max(0)), sample.size_hw)) for label, lines in whole for line in lines]


def filled(box_xyxy, size_hw):
    left, top, right, bottom = (int(each) for each in box_xyxy)
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def union(item, sample):
    """All defects as one, of the image's class."""
    return [(sample.label, sample.mask)] if sample.defects else []


def folders(*names):
    return lambda out, items: [(out / name, f"{name}/".removeprefix("/")) for name in names]


def shards(out, items):
    """Every shard as a data set of its own: what our reader sees of a shard that is given as DATA."""
    return [(unpacked(path, out / "unpacked"), "") for path in sorted(out.glob("*/*/*.tar"))]


class Way(NamedTuple):
    """How a format is read back: by whom, in which folders, and what of labels, splits and defects it keeps."""

    reader: str
    kept: Callable
    name: Callable = str
    splits: bool = True
    folders: Callable = folders("")


WAYS = {
    "mvtec": Way("mvtec", union, safe_name, splits=False),
    "coco": Way("coco", masks),
    "coco_polygons": Way("coco", masks),
    "yolo": Way("yolo", boxes),
    "yolo_segment": Way("yolo", parts),
    "folder": Way("folder", union, safe_name, splits=False, folders=folders("real", "synthetic")),
    "voc": Way("voc", owned_or_boxed, xml_text),
    "visa": Way("visa", union, visa_name, splits=False, folders=folders("real", "synthetic")),
    "anomalib": Way("anomalib", union, safe_name, splits=False, folders=folders("", "synthetic")),
    "webdataset": Way("webdataset", owned, folders=shards),
}


def with_second_classes(items, label):
    """Call the second defect of every other image by another class."""
    return [_renamed(item, label) if number % 4 == 1 else item for number, item in enumerate(items)]


def _renamed(item, label):
    files = tuple(replace(file, label=label) if place else file for place, file in enumerate(item.entry.masks))
    return replace(item, entry=replace(item.entry, masks=files))


def located(out):
    """The items' ids by their file, as the manifest has them."""
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    return {row["file"]: row["source"] for row in rows if row["located"]}


def test_every_format_is_read_back():
    assert WAYS.keys() == set(WRITERS)


@pytest.mark.parametrize("layout", WAYS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wishes=SETS, seed=SEEDS, second=LABELS)
def test_a_writer_then_our_reader_is_the_identity(layout, wishes, seed, second):
    way = WAYS[layout]
    with tempfile.TemporaryDirectory() as folder:
        items = [item for item, _, _ in make(wishes, Path(folder) / "in", seed)]
        if way.kept is not union:
            items = with_second_classes(items, second)
        out, by_id = Path(folder) / "out", {item.entry.id: item for item in items}
        WRITERS[layout](items, out)
        files, seen = located(out), set()
        for root, prefix in way.folders(out, items):
            for entry in READERS[way.reader].read(root) if root.is_dir() else ():
                file = prefix + entry.image.relative_to(root).as_posix()
                if file not in files:
                    assert layout == "folder", "of which only the class is known"
                    continue
                check_entry(way, layout, by_id[files[file]], entry)
                seen.add(file)
        mirrored = {file for file in files if layout != "mvtec" or not by_id[files[file]].synthetic}
        assert seen == mirrored


def check_entry(way, layout, item, entry):
    before, after = load_sample(item.entry), load_sample(entry)
    np.testing.assert_array_equal(after.image, before.image)
    assert after.image.dtype == before.image.dtype
    main = before.label if way.kept is union or not before.defects else None
    assert after.label == (GOOD if before.label == GOOD else way.name(main or item_label(way, item, before)))
    assert not way.splits or entry.split == ("test" if item.split == "test" else "train")
    kept = [(way.name(label), mask) for label, mask in way.kept(item, before)]
    found = [(each.label, each.mask) for each in after.defects]
    if layout == "yolo_segment":
        found = [(each.label, filled(each.box_xyxy, after.size_hw)) for each in after.defects]
    assert [label for label, _ in found] == [label for label, _ in kept]
    for (_, mask), (_, wanted) in zip(found, kept, strict=True):
        np.testing.assert_array_equal(mask, wanted)


def item_label(way, item, sample):
    """An image's class where it is that of its first instance, or said."""
    return sample.label if way.reader == "webdataset" else next(instances_of(item, sample.defects)).label


@pytest.mark.parametrize("layout", WAYS)
def test_an_empty_export_is_no_data_set(layout, tmp_path):
    WRITERS[layout]([], tmp_path / "out")
    with pytest.raises(LayoutError):
        read_catalog(tmp_path / "out", WAYS[layout].reader)


@pytest.mark.parametrize("layout", [name for name in WAYS if WAYS[name].kept is not union])
def test_three_hundred_instances_come_back_apart(layout, tmp_path):
    """More than the 255 that eight bits number."""
    wish = Wish("x", (60, 60), 1, False, ".png", 0.0, False, "train")
    ((item, _, _),) = make([wish], tmp_path / "in", 0)
    files = []
    for number in range(300):
        dot = np.zeros((60, 60), bool)
        dot[number // 20 * 4, number % 20 * 3] = True
        files.append(MaskFile(tmp_path / f"in/dot_{number}.png", "x"))
        write_mask(files[-1].path, dot)
    many = replace(item, entry=replace(item.entry, masks=tuple(files)))
    WRITERS[layout]([many], tmp_path / "out")
    way = WAYS[layout]
    ((root, _),) = way.folders(tmp_path / "out", [many])
    (entry,) = READERS[way.reader].read(root)
    check_entry(way, layout, many, entry)
    assert len(entry.masks) == 300
