"""Training images in memory, each with its mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flawsmith.core.records import Entry, Image, Mask
from flawsmith.core.symmetry import View
from flawsmith.data.loading import load_sample


@dataclass(frozen=True)
class Plate:
    """One image with the union of its defect masks (HW bool)."""

    image: Image
    mask: Mask

    def seen(self, view: View) -> Plate:
        """Return it mirrored or turned."""
        return Plate(view.of(self.image), view.of(self.mask))


def read_plate(entry: Entry) -> Plate:
    """Read an entry's image, at its own depth, and mask."""
    sample = load_sample(entry)
    return Plate(sample.image, sample.mask)


class ImageStore:
    """Reads images on demand by `read` and keeps them in memory until the budget (bytes) is spent."""

    def __init__(self, budget: int, read: Callable[[Entry], Plate] = read_plate) -> None:
        self._left = budget
        self._read = read
        self._held: dict[Path, Plate] = {}

    def get(self, entry: Entry) -> Plate:
        """Return an entry's image and mask."""
        if entry.image in self._held:
            return self._held[entry.image]
        plate = self._read(entry)
        size = plate.image.nbytes + plate.mask.nbytes
        if size <= self._left:
            self._left -= size
            self._held[entry.image] = plate
        return plate
