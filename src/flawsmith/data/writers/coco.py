"""COCO (Lin et al. 2014): SPLIT/annotations.json beside SPLIT/real and SPLIT/synthetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flawsmith.core.files import write_json
from flawsmith.core.records import Defect, Mask
from flawsmith.data.writers.folder import export_into, padding
from flawsmith.data.writers.items import ExportItem, class_names
from flawsmith.data.writers.outlines import (
    box_xywh,
    cut_outlines,
    instances_of,
    outlines,
    run_lengths,
    signed_area,
)
from flawsmith.data.writers.registry import WRITERS

Segmentation = Callable[[Mask], list[list[float]] | dict[str, Any]]
"""How COCO says a mask (HW bool): polygons [x0, y0, x1, ...] at pixel corners, or run lengths."""


@WRITERS.register("coco")
def write_coco(items: Sequence[ExportItem], out: Path) -> None:
    """Write masks without holes as polygons, one per part, and masks with holes as uncompressed run lengths."""
    _write(items, out, "coco", segmentation)


@WRITERS.register("coco_polygons")
def write_coco_polygons(items: Sequence[ExportItem], out: Path) -> None:
    """Write polygons alone, for tools that know no run lengths: a part with a hole is cut in two through it."""
    _write(items, out, "coco_polygons", polygons)


def segmentation(mask: Mask) -> list[list[float]] | dict[str, Any]:
    """Return a mask (HW bool) as polygons, one per part, or as run lengths where it has holes. Both are exact."""
    found = outlines(mask)
    if any(signed_area(each) < 0 for each in found):
        return {"size": [int(side) for side in mask.shape], "counts": run_lengths(mask)}
    return [each.ravel().tolist() for each in found]


def polygons(mask: Mask) -> list[list[float]]:
    """Return a mask (HW bool) as polygons that fill exactly it."""
    return [each.ravel().tolist() for each in cut_outlines(mask)]


def _write(items: Sequence[ExportItem], out: Path, layout: str, shape: Segmentation) -> None:
    """Write one annotation file per split; images carry the extra fields `synthetic`, `source` and `birth`.

    Categories count from 1 in alphabetical order. A class known without a mask cannot be annotated: such images go
    to unlocated/.
    """
    names = {name: number for number, name in enumerate(class_names(items), start=1)}
    tables = {split: _table(names) for split in ("train", *sorted({item.split for item in items} - {"train"}))}
    width = padding(items)
    with export_into(items, out, layout) as export:
        if export is None:
            return
        for item, sample in export.located(items, width):
            folder = f"{item.split}/{item.origin}"
            stem = export.number(folder, width)
            file = f"{item.origin}/{stem}{item.entry.image.suffix.lower()}"
            _add_image(tables[item.split], item, file, sample.size_hw)
            for defect in instances_of(item, sample.defects):
                _add_annotation(tables[item.split], defect, names[defect.label], shape(defect.mask))
            export.put(item, f"{folder}/{stem}")
        for split, table in tables.items():
            write_json(out / split / "annotations.json", table)


def _table(names: Mapping[str, int]) -> dict[str, Any]:
    categories = [{"id": number, "name": name, "supercategory": "defect"} for name, number in names.items()]
    return {"images": [], "annotations": [], "categories": categories}


def _add_image(table: dict[str, Any], item: ExportItem, file: str, size_hw: tuple[int, int]) -> None:
    """Add an image row to a COCO table; `file` is relative to the split's folder."""
    row = {
        "id": len(table["images"]) + 1,
        "file_name": file,
        "height": size_hw[0],
        "width": size_hw[1],
        "synthetic": item.synthetic,
        "source": item.entry.id,
        "birth": None if item.birth is None else dict(item.birth),
    }
    table["images"].append(row)


def _add_annotation(table: dict[str, Any], defect: Defect, category: int, shape: Any) -> None:
    row = {
        "id": len(table["annotations"]) + 1,
        "image_id": len(table["images"]),
        "category_id": category,
        "segmentation": shape,
        "area": int(defect.mask.sum()),
        "bbox": list(box_xywh(defect.box_xyxy)),
        "iscrowd": 0,
    }
    table["annotations"].append(row)
