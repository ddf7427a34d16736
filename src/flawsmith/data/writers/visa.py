"""VisA (Zou et al. 2022): OBJECT/Data/Images/(Normal|Anomaly), OBJECT/Data/Masks/Anomaly, image_anno.csv, split_csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flawsmith.core.files import write_bytes, write_json, write_text
from flawsmith.core.records import GOOD, Sample
from flawsmith.data.image_io import png_bytes
from flawsmith.data.writers.folder import Export, export_into, padding
from flawsmith.data.writers.items import ExportItem, class_names, ends_kept
from flawsmith.data.writers.numbered import compact, numbered
from flawsmith.data.writers.registry import WRITERS

OBJECTS = ("real", "synthetic")


class _Row(NamedTuple):
    """One image of the tables; `mask` is empty for a good one."""

    object: str
    split: str
    classes: str
    image: str
    mask: str


@WRITERS.register("visa")
def write_visa(items: Sequence[ExportItem], out: Path) -> None:
    """Write VisA's folders; its objects are `real` and `synthetic`. A mask's pixels are class numbers (id2class.json).

    split_csv/1cls.csv is for learning from good images: those of the split "train" are for training, all else is for
    testing. split_csv/2cls_highshot.csv is for learning from defects too: the split "train" is for training, all else
    for testing. Images without a mask go to unlocated/.
    """
    numbers, width = {name: number for number, name in enumerate(class_names(items), start=1)}, padding(items)
    rows: list[_Row] = []
    with export_into(items, out, "visa") as export:
        if export is None:
            return
        for item, sample in export.located(items, width):
            rows.append(_put(export, item, sample, numbers, width))
        _write_tables(out, rows)
        classes = {"0": "BACKGROUND", **{str(number): name for name, number in numbers.items()}}
        write_json(out / "id2class.json", {name: classes for name in OBJECTS})


def _put(export: Export, item: ExportItem, sample: Sample, numbers: Mapping[str, int], width: int) -> _Row:
    data = f"{item.origin}/Data"
    if sample.label == GOOD:
        folder, mask, classes = f"{data}/Images/Normal", "", "normal"
        stem = export.number(folder, width)
    else:
        folder, classes = f"{data}/Images/Anomaly", _classes(sample)
        stem = export.number(folder, width)
        mask = f"{data}/Masks/Anomaly/{stem}.png"
        drawn = numbered(sample.defects, sample.size_hw).by_class(numbers)
        write_bytes(export.out / mask, png_bytes(compact(drawn)))
    export.put(item, f"{folder}/{stem}", mask=mask or None)
    return _Row(item.origin, item.split, classes, f"{folder}/{stem}{item.entry.image.suffix.lower()}", mask)


def _classes(sample: Sample) -> str:
    """Return the classes of an image as VisA writes them, with commas between them."""
    return ",".join(
        visa_name(label) for label in dict.fromkeys([sample.label, *(each.label for each in sample.defects)])
    )


def visa_name(label: str) -> str:
    """Return a class as VisA's tables can hold it: without commas and outer spaces, which become %XX."""
    return ends_kept(label).replace(",", "%2C")


def _write_tables(out: Path, rows: Sequence[_Row]) -> None:
    for name in OBJECTS:
        images = [(row.image, row.classes, row.mask) for row in rows if row.object == name]
        _write_csv(out / name / "image_anno.csv", ("image", "label", "mask"), images)
    head = ("object", "split", "label", "image", "mask")
    for name, with_defects in (("1cls", False), ("2cls_highshot", True)):
        _write_csv(out / "split_csv" / f"{name}.csv", head, [_split_row(row, with_defects) for row in rows])


def _split_row(row: _Row, with_defects: bool) -> tuple[str, ...]:
    label = "anomaly" if row.mask else "normal"
    learnt = row.split == "train" and (with_defects or label == "normal")
    return row.object, "train" if learnt else "test", label, row.image, row.mask


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    write_text(path, text.getvalue())
