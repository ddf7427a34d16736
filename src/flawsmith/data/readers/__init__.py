"""Readers: one file per data set layout. Every file of this folder is imported, so a new layout needs no other."""

import importlib
import pkgutil

from flawsmith.data.readers.opening import detect, read_catalog
from flawsmith.data.readers.registry import READERS

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["READERS", "detect", "read_catalog"]
