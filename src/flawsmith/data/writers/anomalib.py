"""A folder that anomalib's `Folder` opens: normal, normal_test, abnormal and mask, and the settings that say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD, Sample
from flawsmith.data.image_io import write_mask
from flawsmith.data.writers.folder import Export, export_into, padding
from flawsmith.data.writers.items import ExportItem, safe_name
from flawsmith.data.writers.registry import WRITERS

FOLDERS = ("normal", "normal_test", "abnormal", "mask")
README = """# Real and synthetic images for anomalib

`real.yaml` and `real_and_synthetic.yaml` name the folders that hold images. In this folder:

    anomalib train --model Patchcore --data real.yaml

or, in Python, anywhere:

    import yaml
    from anomalib.data import Folder

    arguments = yaml.safe_load(open("real.yaml"))["init_args"]
    datamodule = Folder(**{**arguments, "root": "THIS FOLDER"})

`Folder` trains on `normal` alone; the images in `abnormal` serve its validation and test, so prefer `real.yaml` for
numbers that you report. Masks have the names of their images. `Folder` cannot open a data set without good images
for training, and refuses a path to this folder with letters beyond ASCII. `manifest.jsonl` says of each image where it
comes from.
"""


@WRITERS.register("anomalib")
def write_anomalib(items: Sequence[ExportItem], out: Path) -> None:
    """Write good images to normal (split "train") and normal_test, others to abnormal/CLASS with mask/CLASS.

    Synthetic images lie in the same folders under synthetic/. Images without a mask go to unlocated/, because anomalib
    pairs images and masks by sorting.
    """
    width = padding(items)
    with export_into(items, out, "anomalib") as export:
        if export is None:
            return
        for item, sample in export.located(items, width):
            _put(export, item, sample, width)
        for name, origins in (("real", [""]), ("real_and_synthetic", ["", "synthetic/"])):
            write_text(out / f"{name}.yaml", yaml.safe_dump(_settings(out, origins), sort_keys=False))
        write_text(out / "README.md", README)


def _put(export: Export, item: ExportItem, sample: Sample, width: int) -> None:
    top = "synthetic/" if item.synthetic else ""
    if sample.label == GOOD:
        folder = f"{top}normal" if item.split == "train" else f"{top}normal_test"
        export.put(item, f"{folder}/{export.number(folder, width)}", mask=None)
        return
    label = safe_name(sample.label)
    folder = f"{top}abnormal/{label}"
    stem = export.number(folder, width)
    mask = f"{top}mask/{label}/{stem}.png"
    write_mask(export.out / mask, sample.mask)
    export.put(item, f"{folder}/{stem}", mask=mask)


def _settings(out: Path, origins: Sequence[str]) -> dict[str, Any]:
    """Return the settings of `Folder`: it refuses folders without images, so only those there are named."""
    found = {f"{name}_dir": [top + name for top in origins if (out / top / name).is_dir()] for name in FOLDERS}
    folders = {key: names[0] if len(names) == 1 else names for key, names in found.items() if names}
    return {"class_path": "anomalib.data.Folder", "init_args": {"name": "flawsmith", "root": ".", **folders}}
