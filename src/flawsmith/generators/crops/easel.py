"""One patch as the network sees it, and the way back to the patch's own pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import Box, Image, Mask, Patch
from flawsmith.generators.crops.bank import pad_to
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.scales import crop_around, pyramid, scaled_hw, shrink, shrink_mask
from flawsmith.generators.crops.settings import CropSettings
from flawsmith.generators.crops.tone import Plate, picture_of, plate_of
from flawsmith.masks.morphology import extent_px, tight


@dataclass(frozen=True)
class Easel:
    """A patch at the one scale it is painted at.

    `known` (S, S, C) is the crop relative to its surroundings, in the palette's colours, `mask` (S, S) where the defect
    is wanted, `region` (S, S) what is repainted, `around` (C,) the surroundings' mean tones. The crop is `window` of
    the whole patch seen at `scale`, which then has the size `size_hw`.
    """

    patch: Patch
    palette: Palette
    scale: float
    size_hw: tuple[int, int]
    window: Window
    known: Plate
    mask: Mask
    region: Mask
    around: Plate

    @classmethod
    def of(cls, patch: Patch, palette: Palette, settings: CropSettings, region_for: Callable[[Mask], Mask]) -> Easel:
        """Put up a patch whose mask is not empty; `region_for` says what is repainted, given what is asked (S, S)."""
        scale, side = coarsest(float(extent_px(patch.mask)), settings), settings.side
        size_hw = scaled_hw((patch.mask.shape[0], patch.mask.shape[1]), scale)
        plate = pad_to(shrink(plate_of(patch.background, palette.channels), size_hw), side)
        mask = pad_to_with_nothing(shrink_mask(patch.mask, size_hw), side)
        box = tight(mask)
        centre = (box.top + box.bottom) / 2, (box.left + box.right) / 2
        window = window_around(centre, (side, side), (mask.shape[0], mask.shape[1]))
        tones, asked = window.cut(plate), window.cut(mask)
        region = region_for(asked.copy())
        around = np.asarray(tones[~region].mean(0) if not region.all() else np.zeros(palette.channels), np.float32)
        known = palette.apply(tones - around)
        return cls(patch, palette, scale, size_hw, window, known, asked, region, around)

    def picture(self, painted: Plate) -> Image:
        """Return the patch's background with what a painted crop (S, S, C) changed in the region.

        The change comes back to the patch's own size; the background's detail stays beneath it.
        """
        change = self._enlarged(self.palette.undo(painted - self.known) * self.region[..., None])
        background = self.patch.background
        own = plate_of(background, background.shape[2])
        fitting = change if own.shape[2] == 3 else change.mean(2, keepdims=True)
        return picture_of(own + fitting, background.dtype)

    def mask_of(self, share: Plate) -> Mask:
        """Return what is more than half defect by a painted crop (S, S) of shares, 0 to 1, at the patch's own size.

        Outside the region there is none.
        """
        return np.asarray(self._enlarged((share * self.region)[..., None])[..., 0] > 0.5)

    def _enlarged(self, crop: Plate) -> Plate:
        """Return a crop (S, S, K) at its place in the whole patch, at the patch's own size; 0 elsewhere."""
        whole = np.zeros((*self._padded_hw, crop.shape[2]), np.float32)
        self.window.cut(whole)[:] = crop
        return shrink(whole[: self.size_hw[0], : self.size_hw[1]], self._own_hw)

    @property
    def _own_hw(self) -> tuple[int, int]:
        return self.patch.mask.shape[0], self.patch.mask.shape[1]

    @property
    def _padded_hw(self) -> tuple[int, int]:
        side = self.known.shape[0]
        return max(self.size_hw[0], side), max(self.size_hw[1], side)


def coarsest(extent: float, settings: CropSettings) -> float:
    """Return the scale (camera pixels per network pixel) at which a defect of this extent, in px, is painted."""
    return pyramid(extent, settings.side, settings.fill)[0]


def window_for(box_xyxy: Box, size_hw: tuple[int, int], settings: CropSettings) -> Window:
    """Return the piece of an image that a crop around a defect shows."""
    left, top, right, bottom = box_xyxy
    return crop_around(box_xyxy, coarsest(max(bottom - top, right - left), settings), settings.side, size_hw)


def pad_to_with_nothing(mask: NDArray[np.bool_], side: int) -> Mask:
    """Extend a mask (HW) at its lower and right edge until it is at least `side` on both axes."""
    missing = [(0, max(0, side - length)) for length in mask.shape]
    return np.pad(mask, missing)
