"""The export formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flawsmith.core.registry import Registry
from flawsmith.data.writers.items import ExportItem

ExportWriter = Callable[[Sequence[ExportItem], Path], None]
"""Writes items into a folder of its own: (items, folder) -> None. Pixels are read one image at a time."""

WRITERS = Registry[ExportWriter]("export format")
