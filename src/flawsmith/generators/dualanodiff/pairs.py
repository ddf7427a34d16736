"""What the network learns from: pictures, where their defects are, and what may lie behind these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.records import Image
from flawsmith.core.symmetry import Symmetry
from flawsmith.generators.deck import Deck
from flawsmith.generators.gallery import Hung
from flawsmith.generators.membrane import membrane
from flawsmith.masks.morphology import dilate


class PairBank:
    """Batches of `image` and `background` (N, C, H, W) in [-1, 1], `mask` (N, 1, H, W) in {0, 1} and `label` (N,), the
    numbers of `labels` and, for good pictures, the next one.
    """

    def __init__(self, pictures: Sequence[Hung], good_share: float, symmetry: Symmetry, margin: int) -> None:
        self.deck = Deck(pictures, good_share, symmetry)
        self.behind = Deck([replace(each, image=behind(each, margin)) for each in pictures], good_share, symmetry)
        self.labels = labels_of(pictures)

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch."""
        numbers, chosen = zip(*(self.deck.draw(rng) for _ in range(size)), strict=True)
        rows = list(zip(numbers, chosen, strict=True))
        masks = np.stack([self.deck.views[view].of(self._mask(number)) for number, view in rows])
        named = {label: number for number, label in enumerate(self.labels)}
        kinds = [named.get(self.deck.pictures[number].label, len(named)) for number in numbers]
        return {
            "image": self.deck.seen(numbers, chosen),
            "background": self.behind.seen(numbers, chosen),
            "mask": torch.from_numpy(masks)[:, None].float(),
            "label": torch.tensor(kinds),
        }

    def _mask(self, number: int) -> NDArray[np.bool_]:
        hung = self.deck.pictures[number]
        return np.zeros(hung.image.shape[:2], bool) if hung.mask is None else hung.mask


def labels_of(pictures: Sequence[Hung]) -> tuple[str, ...]:
    """Return the classes of the pictures that have a mask, in alphabetical order."""
    return tuple(sorted({each.label for each in pictures if each.mask is not None}))


def behind(hung: Hung, margin: int) -> Image:
    """Return a picture (HWC uint16) with its defect taken out, by `margin` pixels more than its mask says.

    What surrounds the hole is continued into it smoothly. A blank hole would tell the network where the defect goes,
    and when it paints there is none.
    """
    if hung.mask is None:
        return hung.image
    hole = dilate(hung.mask, margin)
    hole = hung.mask if hole.all() else hole
    values = hung.image.astype(np.float32)
    filled = np.broadcast_to(values.mean((0, 1)), values.shape) if hole.all() else membrane(values, hole)
    return np.rint(filled).clip(0, np.iinfo(np.uint16).max).astype(np.uint16)
