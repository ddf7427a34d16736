"""One patch on its way to a painting: what each scale begins with, and what comes out at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.records import Image, Painting, Patch
from flawsmith.generators.crops.mask_channel import MASK_SCALE
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.scales import shrink
from flawsmith.generators.crops.tone import Plate, picture_of
from flawsmith.generators.local.examples import Laid
from flawsmith.generators.local.sheet import Canvas
from flawsmith.masks.morphology import feather

HW = tuple[int, int]
CORE_PX, FADE_PX = 1.0, 2.0
"""A training defect is begun from as far as this around it, in pixels of a canvas; further out is the photograph."""


@dataclass(frozen=True)
class Stroke:
    """A patch, its tones (HWC), its scales, coarse first, and the training defect it begins with, if it does.

    What goes to the network and comes back is HWC in the colours of its palette, with the mask as last channel. Noise
    levels are multiples of `unit`: how strongly the training defect stands out, times how freely it is painted over;
    1 without one.
    """

    patch: Patch
    plate: Plate
    scales: tuple[float, ...]
    laid: Laid | None
    unit: float = 1.0

    def shown(self, canvas: Canvas, palette: Palette) -> Plate:
        """Return what the coarsest canvas begins with: the training defect in its new surroundings, or nothing."""
        size_hw = hw(canvas.asked)
        if self.laid is None:
            return np.zeros((*size_hw, self.plate.shape[2] + 1), np.float32)
        tones, mask = self.laid.view(canvas.scale, size_hw, self.plate.shape[2])
        tones = _surrounded(tones, canvas.pixels - canvas.mean, mask)
        signed = np.where(mask, MASK_SCALE, -MASK_SCALE)[..., None]
        return np.concatenate([palette.apply(tones), signed], 2).astype(np.float32)

    def refined(self, canvas: Canvas, coarse: Plate, palette: Palette) -> Plate:
        """Return what a finer canvas begins with: the coarser painting, what detail the training defect has, and around
        it the photograph.
        """
        finer, size_hw = shrink(coarse, canvas.size_hw), canvas.size_hw
        tones = finer[..., :-1] - canvas.mean
        if self.laid is not None:
            around = canvas.pixels[: size_hw[0], : size_hw[1]] - canvas.mean
            tones = tones + self._detail(canvas.scale, size_hw, hw(coarse))
            tones = _surrounded(tones, around, finer[..., -1] > 0)
        return np.concatenate([palette.apply(tones), finer[..., -1:]], 2)

    def finished(self, painted: Plate, scale: float) -> Painting:
        """Return to the patch's own size, depth and channels.

        Coarse paintings add their change to the sharp background; begun with a training defect, they take its detail
        in place of the background's.
        """
        if scale != 1.0:
            coarse_hw, size_hw = hw(painted), hw(self.patch.mask)
            change = np.concatenate([painted[..., :-1] - shrink(self.plate, coarse_hw), painted[..., -1:]], 2)
            change = shrink(change, size_hw)
            tones, signed = self.plate + change[..., :-1], change[..., -1:]
            if self.laid is not None:
                own = self.plate - shrink(shrink(self.plate, coarse_hw), size_hw)
                tones = tones + (signed > 0) * (self._detail(1.0, size_hw, coarse_hw) - own)
            painted = np.concatenate([tones, signed], 2)
        image, mask = self._picture(painted[..., :-1]), painted[..., -1] > 0
        if self.laid is None:
            return Painting(image, mask)
        return Painting(image, mask, self.laid.example.source, self._as_laid(self.laid))

    def untouched(self) -> Painting:
        """Return the background as it was."""
        return Painting(self.patch.background, self.patch.mask)

    def _detail(self, scale: float, size_hw: HW, coarse_hw: HW) -> Plate | float:
        """Return what the training defect shows on a canvas (HWC tones) beyond what a coarser one holds."""
        if self.laid is None:
            return 0.0
        tones, _ = self.laid.view(scale, size_hw, self.plate.shape[2])
        return tones - shrink(shrink(tones, coarse_hw), size_hw)

    def _as_laid(self, laid: Laid) -> Image:
        """Return the training defect as it was laid, a picture like the background: what a copy would look like."""
        outside = self.plate[~self.patch.mask]
        mean = (outside if len(outside) else self.plate.reshape(-1, self.plate.shape[2])).mean(0)
        return self._picture(laid.view(1.0, hw(self.plate), self.plate.shape[2])[0] + mean)

    def _picture(self, tones: Plate) -> Image:
        like = self.patch.background
        image = picture_of(tones, like.dtype)
        if image.shape[2] == like.shape[2]:
            return image
        return image[..., :1] if like.shape[2] == 1 else np.repeat(image, 3, 2)


def _surrounded(tones: Plate, around: Plate, mask: NDArray[np.bool_]) -> Plate:
    """Return `tones` where a defect is, fading to those around it (all HWC) as far as the rim of a defect reaches."""
    weight = feather(mask, CORE_PX, FADE_PX)[..., None]
    return np.asarray(weight * tones + (1 - weight) * around, np.float32)


def hw(array: NDArray[Any]) -> HW:
    """Return the first two sizes of an array."""
    return array.shape[0], array.shape[1]
