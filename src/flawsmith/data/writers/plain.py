"""A folder per class: real/CLASS and synthetic/CLASS, masks alongside under masks/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flawsmith.data.image_io import write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.writers.folder import export_into, is_located, padding
from flawsmith.data.writers.items import ExportItem, safe_name
from flawsmith.data.writers.registry import WRITERS


@WRITERS.register("folder")
def write_folder(items: Sequence[ExportItem], out: Path) -> None:
    """Write real/CLASS/SPLIT_NNN.suffix, synthetic/CLASS/... and masks/(real|synthetic)/CLASS/SPLIT_NNN.png.

    The mask is the union of an image's defects; images without one (good, or only the class known) have none.
    """
    width = padding(items)
    with export_into(items, out, "folder") as export:
        if export is None:
            return
        for item in items:
            sample = load_sample(item.entry)
            folder = f"{item.origin}/{safe_name(sample.label)}"
            name = f"{folder}/{item.split}_{export.number(f'{folder}/{item.split}', width)}"
            mask = f"masks/{name}.png" if sample.defects else None
            if mask is not None:
                write_mask(out / mask, sample.mask)
            export.put(item, name, located=is_located(sample), mask=mask)
