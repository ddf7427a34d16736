"""What is exported: an entry of a catalog, whether it is synthetic, and how it was born."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Entry


@dataclass(frozen=True)
class ExportItem:
    """One image to export. A synthetic one has its birth record, a real one has none. Raises DataError otherwise."""

    entry: Entry
    synthetic: bool
    split: str
    birth: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.synthetic and self.birth is None:
            raise DataError(f"{self.entry.id} is synthetic but has no birth record: export it with its birth")
        if not self.synthetic and self.birth is not None:
            raise DataError(f"{self.entry.id} is real but has a birth record: mark it as synthetic")
        if not self.split or safe_name(self.split) != self.split:
            raise DataError(f"{self.entry.id}: a split is a plain folder name such as 'train', got {self.split!r}")

    @property
    def origin(self) -> str:
        """Return "synthetic" or "real"."""
        return "synthetic" if self.synthetic else "real"


def class_names(items: Iterable[ExportItem]) -> list[str]:
    """Return the defect classes of images and masks in alphabetical order, without "good"."""
    entries = [item.entry for item in items]
    found = {entry.label for entry in entries} | {mask.label for entry in entries for mask in entry.masks}
    return sorted(found - {GOOD})


def safe_name(label: str) -> str:
    """Return a label as a folder name: what file systems forbid becomes %XX, so no two labels share a name.

    >>> safe_name("Kratzer groß"), safe_name("a/b"), safe_name("..")
    ('Kratzer groß', 'a%2Fb', '%2E%2E')
    """
    name = "".join(f"%{ord(each):02X}" if each in '%/\\:*?"<>|' or ord(each) < 32 else each for each in label)
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name.endswith((".", " ")):
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    return name


def ends_kept(label: str) -> str:
    """Return a label whose outer white space is written as %XX, as readers of tables and XML take it off.

    >>> ends_kept("a b"), ends_kept(" a ")
    ('a b', '%20a%20')
    """
    start, end = len(label) - len(label.lstrip()), len(label.rstrip())
    if start >= end:
        return _coded(label)
    return _coded(label[:start]) + label[start:end] + _coded(label[end:])


def _coded(text: str) -> str:
    return "".join(f"%{ord(each):02X}" for each in text)
