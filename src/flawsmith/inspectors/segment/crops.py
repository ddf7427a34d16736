"""Training crops at native resolution: half of every batch defect-free, half around a random defect pixel.

Synthetic defects come in pairs: with the defect, and the same place of the photograph as it was before. What differs
between the two is the defect alone; without its twin, a network takes the places where defects are painted for defects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.errors import TrainingError
from flawsmith.core.geometry import window_around
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.symmetry import draw_view
from flawsmith.inspectors.augment import augmented, relight
from flawsmith.inspectors.draws import draw_any, draw_defect
from flawsmith.inspectors.plates import ImageStore, Plate
from flawsmith.inspectors.segment.settings import SegmentSettings
from flawsmith.training.feed import to_tensor
from flawsmith.training.feeding import Feed

MAX_TRIES = 8
"""Draws of a crop that shall miss every defect before another image is tried."""


@dataclass(frozen=True)
class Marked:
    """A defective image that has a mask: its flat defect pixels, and the longest side of their box."""

    entry: Entry
    spots: NDArray[np.int64]
    extent: int


class CropBank:
    """Draws batches {"image": (N, C, S, S) in [-1, 1], "target": (N, S, S) of 0 and 1} from a generator alone."""

    def __init__(self, real: Catalog, synthetic: Catalog | None, settings: SegmentSettings, multiple: int) -> None:
        self.settings = settings
        self.store = ImageStore(settings.cache_mb * 2**20)
        self.good = [entry for entry in real if entry.label == GOOD]
        self.real = self._by_class(real)
        self.synthetic = self._by_class(synthetic or ())
        self.marked = [each for rows in self.real.values() for each in rows]
        self._check()
        self.surfaces = {entry.id: entry for entry in real} if settings.unpainted else {}
        self.painted = {
            label: known
            for label, rows in self.synthetic.items()
            if (known := [each for each in rows if each.entry.background in self.surfaces])
        }
        seen = [self.store.get(entry).image.shape for entry in (*(each.entry for each in self.marked), *self.good[:1])]
        self.channels = max(shape[2] for shape in seen)
        wanted = settings.crop if settings.crop != "auto" else auto_crop(self.marked, min(min(s[:2]) for s in seen))
        self.side = max(multiple, wanted // multiple * multiple)

    def at(self, done: float) -> Feed:
        """Return the feed of the time when the share `done` of a training cycle is over."""
        return partial(self.batch, share=self.settings.synthetic_share_at(done))

    def batch(self, rng: np.random.Generator, size: int, share: float = 0.0) -> dict[str, Tensor]:
        """Draw a batch of `size` crops; `share` of the defects are synthetic."""
        crops = [self._defect(rng, share) if i % 2 else self._free(rng, share) for i in range(size)]
        crops = [crop.seen(draw_view(self.settings.symmetry, rng)) for crop in crops]
        images = to_tensor([crop.image for crop in crops], self.channels)
        targets = torch.from_numpy(np.stack([crop.mask for crop in crops]).astype(np.int64))
        images = relight(images, self.settings.brightness, self.settings.contrast, rng)
        images, targets = augmented(images, targets, self.settings.augment, rng)
        return {"image": images, "target": targets}

    def _by_class(self, entries: Iterable[Entry]) -> dict[str, list[Marked]]:
        found: dict[str, list[Marked]] = {}
        for entry in entries:
            if entry.label != GOOD and entry.masks:
                mask = self.store.get(entry).mask
                if mask.any():
                    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                    extent = 1 + max(int(rows[-1] - rows[0]), int(columns[-1] - columns[0]))
                    found.setdefault(entry.label, []).append(Marked(entry, np.flatnonzero(mask), extent))
        return dict(sorted(found.items()))

    def _check(self) -> None:
        if not self.real and not self.synthetic:
            raise TrainingError("no defective image with a mask to learn from: give masks, or a synthetic catalog")
        if not self.good and not self.marked:
            raise TrainingError("no real image to learn defect-free surface from: give some good images")

    def _defect(self, rng: np.random.Generator, share: float) -> Plate:
        marked = draw_defect(self.real, self.synthetic, share, rng)
        return self._cut_near(marked, self.store.get(marked.entry), rng)

    def _free(self, rng: np.random.Generator, share: float) -> Plate:
        if self.painted and rng.random() < share:
            return self._unpainted(rng)
        off_mask = bool(self.marked) and (not self.good or rng.random() < self.settings.off_mask_share)
        if off_mask:
            for _ in range(MAX_TRIES):
                crop = self._anywhere(draw_any(self.marked, rng).entry, rng)
                if not crop.mask.any():
                    return crop
        return (
            self._anywhere(draw_any(self.good, rng), rng)
            if self.good
            else self._anywhere(draw_any(self.marked, rng).entry, rng)
        )

    def _unpainted(self, rng: np.random.Generator) -> Plate:
        """Cut a place where a synthetic defect was painted out of the photograph as it was before."""
        marked = draw_any(draw_any(list(self.painted.values()), rng), rng)
        return self._cut_near(marked, self.store.get(self.surfaces[str(marked.entry.background)]), rng)

    def _cut_near(self, marked: Marked, plate: Plate, rng: np.random.Generator) -> Plate:
        """Cut a crop in which some pixel of a defect lies near the middle."""
        spot = np.array(np.unravel_index(marked.spots[int(rng.integers(len(marked.spots)))], plate.mask.shape))
        centre = spot + rng.integers(-self.side // 4, self.side // 4 + 1, 2)
        return self._cut(plate, (float(centre[0]), float(centre[1])))

    def _anywhere(self, entry: Entry, rng: np.random.Generator) -> Plate:
        plate = self.store.get(entry)
        height, width = plate.mask.shape
        half = self.side / 2
        rows, columns = (half, max(half, height - half)), (half, max(half, width - half))
        return self._cut(plate, (float(rng.uniform(*rows)), float(rng.uniform(*columns))))

    def _cut(self, plate: Plate, centre_yx: tuple[float, float]) -> Plate:
        window = window_around(centre_yx, (self.side, self.side), plate.mask.shape)
        return Plate(mirrored(window.cut(plate.image), self.side), mirrored(window.cut(plate.mask), self.side))


def auto_crop(marked: Sequence[Marked], smallest_side: int) -> int:
    """Return a crop side that holds a typical defect with half as much around it: 64 or 96 pixels, but not more than
    the smallest image. A larger crop costs more and teaches no more: what is longer is learnt piece by piece.
    """
    wanted = 1.5 * float(np.median([each.extent for each in marked])) if marked else 96.0
    return min(int(np.clip(np.ceil(wanted / 32) * 32, 64, 96)), smallest_side)


def mirrored(array: NDArray[Any], side: int) -> NDArray[Any]:
    """Return an HW(C) array mirrored at its lower and right edge until it is at least `side` on both axes."""
    missing = [(0, max(0, side - array.shape[axis])) for axis in (0, 1)]
    if not any(after for _, after in missing):
        return array
    return np.pad(array, missing + [(0, 0)] * (array.ndim - 2), mode="symmetric")
