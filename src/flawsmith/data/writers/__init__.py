"""Writers: an export format per file; importing this package enters them all in `WRITERS`."""

from flawsmith.data.writers import coco, mvtec, plain, yolo  # noqa: F401  (imported to be registered)
from flawsmith.data.writers.items import ExportItem
from flawsmith.data.writers.registry import WRITERS, ExportWriter

__all__ = ["WRITERS", "ExportItem", "ExportWriter"]
