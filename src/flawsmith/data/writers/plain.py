"""A folder per class: real/CLASS and synthetic/CLASS, each with its masks under masks/CLASS."""

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
    """Write real/CLASS/SPLIT_NNN.suffix, real/masks/CLASS/SPLIT_NNN.png, and the same under synthetic/.

    Each of the two is a data set that can be opened by itself. The mask is the union of an image's defects; images
    without one (good, or only the class known) have none.
    """
    width = padding(items)
    with export_into(items, out, "folder") as export:
        if export is None:
            return
        for item in items:
            sample = load_sample(item.entry)
            label = safe_name(sample.label)
            prefix = f"{item.origin}/{label}/{item.split}"
            stem = f"{item.split}_{export.number(prefix, width)}"
            mask = f"{item.origin}/masks/{label}/{stem}.png" if sample.defects else None
            if mask is not None:
                write_mask(out / mask, sample.mask)
            export.put(item, f"{item.origin}/{label}/{stem}", located=is_located(sample), mask=mask)
