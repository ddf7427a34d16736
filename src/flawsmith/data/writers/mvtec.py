"""The folders of MVTec AD (Bergmann et al. 2019): train/good, test/CLASS, ground_truth/CLASS/NNN_mask.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flawsmith.core.records import GOOD, Sample
from flawsmith.data.image_io import write_mask
from flawsmith.data.writers.folder import Export, export_into, padding
from flawsmith.data.writers.items import ExportItem, safe_name
from flawsmith.data.writers.registry import WRITERS


@WRITERS.register("mvtec")
def write_mvtec(items: Sequence[ExportItem], out: Path) -> None:
    """Write real images as MVTec AD lays them out; synthetic ones beside that tree, in synthetic(_masks)/CLASS.

    Good images of the split "train" go to train/good, all other real ones to test/CLASS, as the layout has no other
    place for a defect: `manifest.jsonl` says of which split each is. Readers pair images and masks by sorting, so
    numbers are padded and only images with a mask are in test/CLASS.
    """
    width = padding(items)
    with export_into(items, out, "mvtec") as export:
        if export is None:
            return
        (out / "train" / GOOD).mkdir(parents=True)
        (out / "test" / GOOD).mkdir(parents=True)
        for item, sample in export.located(items, width):
            _put(export, item, sample, width)


def _put(export: Export, item: ExportItem, sample: Sample, width: int) -> None:
    label = safe_name(sample.label)
    folder, masks = _folders(item, label)
    stem = export.number(folder, width)
    mask = None if sample.label == GOOD else f"{masks}/{stem}_mask.png"
    if mask is not None:
        write_mask(export.out / mask, sample.mask)
    export.put(item, f"{folder}/{stem}", mask=mask)


def _folders(item: ExportItem, label: str) -> tuple[str, str]:
    if item.synthetic:
        return f"synthetic/{label}", f"synthetic_masks/{label}"
    part = "train" if label == GOOD and item.split == "train" else "test"
    return f"{part}/{label}", f"ground_truth/{label}"
