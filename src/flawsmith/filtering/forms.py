"""How large the training defects of a class are, and of how many pieces: what a mask that nobody asked for may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from flawsmith.core.records import Mask
from flawsmith.filtering.changes import dilated

BRIDGED = 48
"""Gaps up to this part of a mask's longer side do not part it: dashes of one crack are one piece."""


@dataclass(frozen=True)
class Forms:
    """The range of the masks of a class: smallest and largest area in pixels, and the most pieces of any."""

    least_px: int
    most_px: int
    most_pieces: int

    @classmethod
    def of(cls, masks: Iterable[Mask]) -> Forms:
        """Measure masks (HW bool), none of them empty."""
        masks = list(masks)
        areas = [int(mask.sum()) for mask in masks]
        return cls(min(areas), max(areas), max(pieces(mask) for mask in masks))

    def fit(self, mask: Mask) -> float:
        """Return how near a mask lies to the range: 1 within, .5 at twice the most or half the least, 0 if empty."""
        area = int(mask.sum())
        if not area:
            return 0.0
        return min(1.0, area / self.least_px, self.most_px / area, self.most_pieces / pieces(mask))


def pieces(mask: Mask) -> int:
    """Return of how many pieces a mask is, small gaps between them apart."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0
    longer = 1 + max(rows[-1] - rows[0], columns[-1] - columns[0])
    count = ndimage.label(dilated(mask, 1 + int(longer) // (2 * BRIDGED)), np.ones((3, 3)))[1]
    return int(count)
