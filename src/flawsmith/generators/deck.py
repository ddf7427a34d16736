"""Training pictures of a generator of whole images, drawn from like cards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from flawsmith.core.records import GOOD
from flawsmith.core.symmetry import Symmetry, views
from flawsmith.generators.gallery import Hung
from flawsmith.training.feed import to_tensor


class Deck:
    """Training pictures to draw from: a share of good ones, the rest spread evenly over the classes."""

    def __init__(self, pictures: Sequence[Hung], good_share: float, symmetry: Symmetry) -> None:
        self.pictures, self.views = pictures, views(symmetry)
        numbers: dict[str, list[int]] = {}
        for number, each in enumerate(pictures):
            numbers.setdefault(each.label, []).append(number)
        self.good = numbers.pop(GOOD, [])
        self.good_share = good_share if self.good else 0.0
        self.classes = list(numbers.values())

    @property
    def channels(self) -> int:
        """Channels of every picture."""
        return int(self.pictures[0].image.shape[2])

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Return the number of a picture, and that of a view of it."""
        kind = self.classes[int(rng.integers(len(self.classes)))]
        mine = self.good if rng.random() < self.good_share else kind
        return mine[int(rng.integers(len(mine)))], int(rng.integers(len(self.views)))

    def pictures_batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch of pictures."""
        drawn = [self.draw(rng) for _ in range(size)]
        return {"image": self.seen([number for number, _ in drawn], [view for _, view in drawn])}

    def seen(self, numbers: Sequence[int], chosen: Sequence[int]) -> Tensor:
        """Return pictures in views of them, both by their numbers: (N, C, H, W) in [-1, 1]."""
        pairs = zip(numbers, chosen, strict=True)
        images = [self.views[view].of(self.pictures[number].image) for number, view in pairs]
        return to_tensor(images, self.channels)
