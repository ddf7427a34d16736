"""Near-duplicates inside a synthetic set: the second of two defects that look the same teaches nothing new.

Likeness is the correlation of two defects' own structure in the best of 8 orientations, as in `copies`, but laid middle
on middle and slightly blurred instead of searched for: there may be thousands to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.geometry import window_around
from flawsmith.core.records import Defect, Image, Mask
from flawsmith.filtering.copies import SIDE, make_templates

BLUR_PX = 1.0
MARGIN_PX = 2
Sketches = NDArray[np.float32]


class Accepted:
    """The defects of a set accepted so far, by class."""

    def __init__(self) -> None:
        self._sketches: dict[str, list[Sketches]] = {}

    def originality(self, image: Image, defects: Sequence[Defect]) -> float:
        """Return one minus the largest likeness (0 to 1) of any of an image's defects to an accepted one of its class.

        1 where there is nothing to compare with, or nothing that could be recognised.
        """
        alike = [self._nearest(image, each) for each in defects if self._sketches.get(each.label)]
        return 1.0 - max(alike, default=0.0)

    def add(self, image: Image, defects: Sequence[Defect]) -> None:
        """Note the defects of an accepted image (HWC)."""
        for each in defects:
            image_crop, mask = _cut_out(image, each)
            self._sketches.setdefault(each.label, []).append(sketch(image_crop, mask))

    def _nearest(self, image: Image, defect: Defect) -> float:
        return float(likenesses(views(*_cut_out(image, defect))[None], np.stack(self._sketches[defect.label])).max())


def likenesses(some: Sketches, others: Sketches) -> Sketches:
    """Return the likeness (N, M), 0 to 1, of defects given by their views (N, 8, D) to others by one each (M, D)."""
    best = some[:, 0] @ others.T
    for view in range(1, some.shape[1]):
        np.maximum(best, some[:, view] @ others.T, out=best)
    return np.asarray(np.clip(best, 0, 1), np.float32)


def views(image: Image, mask: Mask) -> Sketches:
    """Return the sketches (8, D) of the defect at `mask` (HW) in a crop (HWC), in every orientation."""
    turned = [
        (np.rot90(image[:, ::step], quarter), np.rot90(mask[:, ::step], quarter))
        for step in (1, -1)
        for quarter in range(4)
    ]
    return np.stack([sketch(*each) for each in turned])


def sketch(image: Image, mask: Mask) -> Sketches:
    """Return the structure of the defect at `mask` (HW) in a crop (HWC) as (D,), of length 1; zeros if it has none."""
    blurred = ndimage.gaussian_filter(make_templates([(image, mask)]).pixels[0], BLUR_PX)
    small = blurred.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3)).ravel()
    norm = float(np.linalg.norm(small))
    return np.asarray(small / norm if norm > 1e-6 else np.zeros_like(small), np.float32)


def _cut_out(image: Image, defect: Defect) -> tuple[Image, Mask]:
    left, top, right, bottom = defect.box_xyxy
    size_hw = (int(bottom - top) + 2 * MARGIN_PX, int(right - left) + 2 * MARGIN_PX)
    window = window_around(((top + bottom) / 2, (left + right) / 2), size_hw, image.shape[:2])
    return window.cut(image), window.cut(defect.mask)
