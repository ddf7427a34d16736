"""Writers: an export format per file. Every file of this folder is imported, so a new format needs no other."""

import importlib
import pkgutil

from flawsmith.data.writers.items import ExportItem
from flawsmith.data.writers.registry import WRITERS, ExportWriter

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["WRITERS", "ExportItem", "ExportWriter"]
