"""Training batches of whole images: half of each good, half defects, their domains in a fixed share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.errors import TrainingError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.symmetry import draw_view
from flawsmith.data.image_io import image_head
from flawsmith.inspectors.augment import augmented, relight
from flawsmith.inspectors.draws import draw_any, draw_defect
from flawsmith.inspectors.frames import framed, framed_mask
from flawsmith.inspectors.plates import ImageStore, Plate, read_plate
from flawsmith.inspectors.settings import FrameSettings
from flawsmith.training.feeding import Feed


class FrameBank:
    """Draws batches {"image": (N, C, S, S) in [-1, 1], "target": (N,) numbers in `classes`, "mask": (N, S, S) of 0 and
    1} from a generator alone.

    `classes` are good and then the defect classes in alphabetical order; the channels are those of the images, but not
    fewer than `least_channels`.
    """

    def __init__(
        self, real: Catalog, synthetic: Catalog | None, settings: FrameSettings, least_channels: int = 1
    ) -> None:
        self.settings = settings
        self.good = [entry for entry in real if entry.label == GOOD]
        self.real, self.synthetic = _by_class(real), _by_class(synthetic or ())
        self._check()
        self.classes = (GOOD, *sorted({*self.real, *self.synthetic}))
        grey = all(image_head(entry.image).colours == "grey" for entry in (*real, *(synthetic or ())))
        self.channels = least_channels if grey else 3
        self.store = ImageStore(settings.cache_mb * 2**20, self._read)

    def at(self, done: float) -> Feed:
        """Return the feed of the time when the share `done` of a training cycle is over."""
        return partial(self.batch, share=self.settings.synthetic_share_at(done))

    def batch(self, rng: np.random.Generator, size: int, share: float = 0.0) -> dict[str, Tensor]:
        """Draw a batch of `size` images; `share` of the defects are synthetic.

        Where augmentation takes a defect out of sight, its image counts as good.
        """
        settings = self.settings
        drawn = [
            draw_defect(self.real, self.synthetic, share, rng) if i % 2 else draw_any(self.good, rng)
            for i in range(size)
        ]
        plates = [self.store.get(entry).seen(draw_view(settings.symmetry, rng)) for entry in drawn]
        images = torch.from_numpy(np.stack([plate.image for plate in plates])).permute(0, 3, 1, 2).contiguous()
        marks = torch.from_numpy(np.stack([plate.mask for plate in plates]).astype(np.int64))
        images = relight(images, settings.brightness, settings.contrast, rng)
        images, left = augmented(images, marks, settings.augment, rng)
        hidden = marks.flatten(1).any(1) & ~left.flatten(1).any(1)
        targets = torch.tensor([self.classes.index(entry.label) for entry in drawn])
        return {"image": images, "target": torch.where(hidden, 0, targets), "mask": left}

    def _check(self) -> None:
        if not self.good:
            raise TrainingError("no good image to learn from: a classifier needs some real ones")
        if not self.real and not self.synthetic:
            raise TrainingError("no defective image to learn from: give some, or a synthetic catalog")

    def _read(self, entry: Entry) -> Plate:
        plate, size = read_plate(entry), self.settings.size
        return Plate(framed(plate.image, size, self.channels), framed_mask(plate.mask, size))


def _by_class(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.label != GOOD:
            found.setdefault(entry.label, []).append(entry)
    return dict(sorted(found.items()))
