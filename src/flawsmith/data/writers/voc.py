"""Pascal VOC (Everingham et al. 2010): JPEGImages, Annotations/*.xml, Segmentation(Object|Class)/*.png, ImageSets."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from numpy.typing import NDArray
from PIL.Image import fromarray

from flawsmith.core.files import write_bytes, write_text
from flawsmith.core.records import Box, Sample
from flawsmith.data.image_io import png_bytes
from flawsmith.data.writers.folder import export_into, padding
from flawsmith.data.writers.items import ExportItem, class_names, ends_kept
from flawsmith.data.writers.numbered import Numbered, compact, numbered
from flawsmith.data.writers.outlines import instances_of
from flawsmith.data.writers.registry import WRITERS

SPLITS = ("train", "val", "test")
_NOT_IN_XML = re.compile("[\x00-\x1f\ufffe\uffff]")


@WRITERS.register("voc")
def write_voc(items: Sequence[ExportItem], out: Path) -> None:
    """Write boxes as XML, 1-based and inclusive, and the numbers of instances and classes as palette images.

    Images are called real_NNN and synthetic_NNN, and `source/image` in the XML says which they are. They keep their
    own file format, because JPEG would change their pixels. Classes are numbered from 1 in the order of classes.txt;
    images of more than 254 numbers are 16-bit grey. A class known without a mask has no box: such images go to
    unlocated/.
    """
    names = class_names(items)
    numbers, width = {name: number for number, name in enumerate(names, start=1)}, padding(items)
    with export_into(items, out, "voc") as export:
        if export is None:
            return
        stems: dict[str, list[str]] = defaultdict(list)
        for item, sample in export.located(items, width):
            stem = f"{item.origin}_{export.number(item.origin, width)}"
            found = numbered(instances_of(item, sample.defects), sample.size_hw)
            write_text(out / "Annotations" / f"{stem}.xml", annotation(item, sample, found, stem))
            write_bytes(out / "SegmentationObject" / f"{stem}.png", palette_png(found.owner))
            write_bytes(out / "SegmentationClass" / f"{stem}.png", palette_png(found.by_class(numbers)))
            export.put(item, f"JPEGImages/{stem}")
            stems[item.split].append(stem)
        for split in (*SPLITS, *sorted(stems.keys() - set(SPLITS))):
            for use in ("Main", "Segmentation"):
                write_text(out / "ImageSets" / use / f"{split}.txt", "".join(f"{stem}\n" for stem in stems[split]))
        write_text(out / "classes.txt", "".join(f"{xml_text(name)}\n" for name in names))


def annotation(item: ExportItem, sample: Sample, found: Numbered, stem: str) -> str:
    """Return the XML of one image; its objects stand in the order of their numbers in SegmentationObject."""
    root, (height, width) = Element("annotation"), sample.size_hw
    size = {"width": width, "height": height, "depth": sample.image.shape[2]}
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", stem + item.entry.image.suffix.lower())
    _add(root, "source", {"database": "flawsmith", "annotation": "flawsmith", "image": item.origin})
    _add(root, "size", size)
    _add(root, "segmented", int(bool(found.labels)))
    for label, box in zip(found.labels, found.boxes_xyxy, strict=True):
        plain = {"name": label, "pose": "Unspecified", "truncated": 0, "difficult": 0}
        _add(root, "object", {**plain, "bndbox": inclusive_box(box)})
    indent(root, "\t")
    return tostring(root, encoding="unicode") + "\n"


def _add(parent: Element, tag: str, value: Any) -> None:
    child = SubElement(parent, tag)
    if isinstance(value, dict):
        for name, inner in value.items():
            _add(child, name, inner)
    else:
        child.text = xml_text(str(value))


def xml_text(text: str) -> str:
    r"""Return a text with what XML cannot hold, or would change, as %XX.

    >>> xml_text("a & b\n")
    'a & b%0A'
    """
    return ends_kept(_NOT_IN_XML.sub(lambda found: f"%{ord(found[0]):02X}", text))


def inclusive_box(box: Box) -> dict[str, int]:
    """Return a half-open box as the first and last column and row inside it, counted from 1.

    >>> inclusive_box((0.0, 2.0, 5.0, 3.0))
    {'xmin': 1, 'ymin': 3, 'xmax': 5, 'ymax': 3}
    """
    left, top, right, bottom = (int(each) for each in box)
    return {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}


def palette_png(numbers: NDArray[np.uint16]) -> bytes:
    """Return a PNG file of numbers (HW) with VOC's colours, or 16-bit grey where a number is above 254."""
    small = compact(numbers)
    if small.dtype != np.uint8:
        return png_bytes(small)
    image, buffer = fromarray(small), io.BytesIO()
    image.putpalette(voc_colours().tobytes())
    image.save(buffer, "PNG")
    return buffer.getvalue()


def voc_colours() -> NDArray[np.uint8]:
    """Return the 256 colours (256, 3) of VOC: bits 0, 1, 2 of a number are the highest of R, G, B, and so on down.

    >>> voc_colours()[[1, 2, 3, 255]].tolist()
    [[128, 0, 0], [0, 128, 0], [128, 128, 0], [224, 224, 192]]
    """
    bits = np.arange(256)[:, None] >> np.arange(9) & 1
    places = np.repeat([128, 64, 32], 3)
    return np.stack([(bits * places)[:, channel::3].sum(1) for channel in range(3)], axis=1).astype(np.uint8)
