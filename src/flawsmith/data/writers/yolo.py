"""YOLO text labels: images/SPLIT, labels/SPLIT and data.yaml; boxes, or polygons for segmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from flawsmith.core.files import write_text
from flawsmith.core.records import Defect
from flawsmith.data.writers.folder import export_into, padding
from flawsmith.data.writers.items import ExportItem, class_names
from flawsmith.data.writers.outlines import instances_of, outer_outlines
from flawsmith.data.writers.registry import WRITERS

Rows = Callable[[Defect, tuple[int, int]], list[list[float]]]
"""The label rows of one instance in an image of a size (H, W), without the class, all in [0, 1]."""


@WRITERS.register("yolo")
def write_yolo(items: Sequence[ExportItem], out: Path) -> None:
    """Write boxes: `class x_centre y_centre width height` per instance, as shares of the image; classes from 0."""
    _write(items, out, "yolo", box_rows)


@WRITERS.register("yolo_segment")
def write_yolo_segment(items: Sequence[ExportItem], out: Path) -> None:
    """Write polygons: `class x0 y0 x1 y1 ...` per connected part; the format cannot say holes, they are filled."""
    _write(items, out, "yolo_segment", polygon_rows)


def box_rows(defect: Defect, size_hw: tuple[int, int]) -> list[list[float]]:
    """Return [[x_centre, y_centre, width, height]] of a defect's box, as shares of the image."""
    left, top, right, bottom = defect.box_xyxy
    height, width = size_hw
    return [[(left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height]]


def polygon_rows(defect: Defect, size_hw: tuple[int, int]) -> list[list[float]]:
    """Return one [x0, y0, x1, ...] per part of a defect, as shares of the image."""
    size_xy = np.array([size_hw[1], size_hw[0]])
    return [(each / size_xy).ravel().tolist() for each in outer_outlines(defect.mask)]


def _write(items: Sequence[ExportItem], out: Path, layout: str, rows: Rows) -> None:
    """Write images as SPLIT/real_NNN and SPLIT/synthetic_NNN. A good image has an empty label file.

    A class known without a mask cannot be labelled: such images go to unlocated/.
    """
    names = class_names(items)
    numbers, width = {name: number for number, name in enumerate(names)}, padding(items)
    with export_into(items, out, layout) as export:
        if export is None:
            return
        for split in _splits(items):
            (out / "images" / split).mkdir(parents=True)
            (out / "labels" / split).mkdir(parents=True)
        for item, sample in export.located(items, width):
            prefix = f"{item.split}/{item.origin}"
            name = f"{prefix}_{export.number(prefix, width)}"
            lines = [
                _line(numbers[defect.label], row)
                for defect in instances_of(item, sample.defects)
                for row in rows(defect, sample.size_hw)
            ]
            write_text(out / "labels" / f"{name}.txt", "".join(lines))
            export.put(item, f"images/{name}")
        write_text(out / "data.yaml", _data_yaml(_splits(items), names))


def _splits(items: Sequence[ExportItem]) -> list[str]:
    return sorted({"train", "val", *(item.split for item in items)})


def _line(number: int, row: Sequence[float]) -> str:
    return " ".join([str(number), *(f"{value:.8f}" for value in row)]) + "\n"


def _data_yaml(splits: Sequence[str], names: Sequence[str]) -> str:
    data = {**{split: f"images/{split}" for split in splits}, "nc": len(names), "names": dict(enumerate(names))}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
