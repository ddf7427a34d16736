"""The sheet: the canvases of several patches below one another, looked at through windows of the network's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.geometry import Window
from flawsmith.core.records import Patch
from flawsmith.core.rng import derive_seed
from flawsmith.diffusion.inpainting import region_of
from flawsmith.diffusion.tiling import cover
from flawsmith.generators.crops.bank import pad_to
from flawsmith.generators.crops.mask_channel import MASK_SCALE
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.scales import scaled_hw, shrink, shrink_mask
from flawsmith.generators.crops.tone import Plate
from flawsmith.generators.local.settings import LocalSettings


@dataclass(frozen=True)
class Canvas:
    """One patch at one scale: its crop (HWC tones), where the defect is wanted, and what is repainted (HW)."""

    patch: int
    scale: float
    pixels: Plate
    asked: NDArray[np.bool_]
    region: NDArray[np.bool_]
    size_hw: tuple[int, int]
    """The size without the padding that fills a window."""

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean per channel of the surroundings, shape (C,)."""
        outside = self.pixels[~self.region]
        return np.asarray(outside.mean(0) if len(outside) else np.zeros(self.pixels.shape[2]), np.float32)


def canvas_of(
    number: int, plate: Plate, mask: NDArray[np.bool_], scale: float, settings: LocalSettings
) -> tuple[Canvas, list[Window]]:
    """Return the canvas of a patch at a scale, and the windows that cover what is repainted."""
    size_hw, side = scaled_hw((mask.shape[0], mask.shape[1]), scale), settings.side
    pixels, asked = pad_to(shrink(plate, size_hw), side), pad_to(shrink_mask(mask, size_hw), side).copy()
    inside = np.zeros(asked.shape, bool)
    inside[: size_hw[0], : size_hw[1]] = True
    asked &= inside
    grown = region_of(torch.from_numpy(asked)[None, None].float(), settings.margin)[0, 0].numpy() > 0
    return Canvas(number, scale, pixels, asked, grown & inside, size_hw), cover(grown & inside, side, side * 3 // 4)


class Sheet:
    """Canvases below one another: arrays and noise of the whole, windows with their owners, and cutting apart again."""

    def __init__(self, canvases: Sequence[tuple[Canvas, Sequence[Window]]]) -> None:
        self.canvases = [canvas for canvas, _ in canvases]
        self.tops = np.cumsum([0, *(canvas.pixels.shape[0] for canvas in self.canvases)]).tolist()
        self.size_hw = self.tops[-1], max(canvas.pixels.shape[1] for canvas in self.canvases)
        self.windows: list[Window] = []
        self.owners: list[Canvas] = []
        for top, (canvas, windows) in zip(self.tops, canvases, strict=False):
            self.windows += [Window(top + w.top, w.left, top + w.bottom, w.right) for w in windows]
            self.owners += [canvas] * len(windows)

    def array(self, channels: int, part: Callable[[Canvas], NDArray[np.float32]], fill: float = 0.0) -> Tensor:
        """Return (1, channels, H, W) with `part(canvas)`, HWC, in each canvas's place."""
        whole = np.full((*self.size_hw, channels), fill, np.float32)
        for top, canvas in zip(self.tops, self.canvases, strict=False):
            piece = part(canvas)
            whole[top : top + piece.shape[0], : piece.shape[1]] = piece
        return torch.from_numpy(whole).permute(2, 0, 1)[None]

    def noise(self, patches: Sequence[Patch], channels: int, *name: str | int) -> Callable[[], Tensor]:
        """Return a function that draws normal noise for the sheet, each canvas from its own patch's seed."""
        streams = {
            id(canvas): np.random.default_rng(derive_seed(patches[canvas.patch].seed, *name))
            for canvas in self.canvases
        }

        def draw_for(canvas: Canvas) -> NDArray[np.float32]:
            shape = (*canvas.pixels.shape[:2], channels)
            return streams[id(canvas)].standard_normal(shape, np.float32)

        return lambda: self.array(channels, draw_for)

    def known(self, palette: Palette) -> Tensor:
        """Return what is photographed, relative to its surroundings, with no defect in the mask channel."""
        channels = self.canvases[0].pixels.shape[2] + 1

        def part(canvas: Canvas) -> NDArray[np.float32]:
            mask = np.full((*canvas.pixels.shape[:2], 1), -MASK_SCALE, np.float32)
            return np.concatenate([palette.apply(canvas.pixels - canvas.mean), mask], 2)

        return self.array(channels, part, -MASK_SCALE)

    def region(self) -> Tensor:
        """Return 1 where something is repainted, 0 elsewhere."""
        return self.array(1, lambda canvas: canvas.region[..., None].astype(np.float32))

    def asked(self) -> Tensor:
        """Return 1 where a defect is wanted, 0 elsewhere."""
        return self.array(1, lambda canvas: canvas.asked[..., None].astype(np.float32))

    def cut(self, whole: Tensor) -> Tensor:
        """Return the windows of a (1, C, H, W) sheet as one batch."""
        return torch.cat([whole[..., w.top : w.bottom, w.left : w.right] for w in self.windows])

    def apart(self, whole: Tensor, palette: Palette) -> list[Plate]:
        """Return each canvas of a finished sheet: HWC tones with the mask as last channel, without padding."""
        array = whole[0].permute(1, 2, 0).float().cpu().numpy()
        pieces = []
        for top, canvas in zip(self.tops, self.canvases, strict=False):
            piece = array[top : top + canvas.size_hw[0], : canvas.size_hw[1]]
            pieces.append(np.concatenate([palette.undo(piece[..., :-1]) + canvas.mean, piece[..., -1:]], 2))
        return pieces
