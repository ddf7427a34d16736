"""Painting with a trained local generator: from a coarse view of the defect down to the camera's own pixels.

All patches are painted together on one sheet, and the network looks at it through windows, always the same number at
once, so that what is painted beside a patch never changes a bit of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import GOOD, Box, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.diffusion.inpainting import keep_known
from flawsmith.diffusion.samplers import SAMPLERS
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.diffusion.tiling import tiled
from flawsmith.generators.local.net import Condition, LocalNet
from flawsmith.generators.local.scales import pyramid, shrink
from flawsmith.generators.local.settings import LocalSettings
from flawsmith.generators.local.sheet import Canvas, Sheet, canvas_of
from flawsmith.generators.local.tone import Plate, picture_of, plate_of
from flawsmith.masks.guide import GUIDE, shape_guide
from flawsmith.training.device import autocast_for

CHUNK = 16
"""Windows per network call, always: kernels, and so the last bits of a result, can depend on the batch size."""
MOST_PATCHES = 64
"""Patches painted together, at most: bounds the memory of the sheet."""


class LocalPainter:
    """A trained local generator. The class "good" removes a defect: it paints background under the mask."""

    def __init__(self, net: LocalNet, labels: tuple[str, ...], settings: LocalSettings, weights_sha256: str) -> None:
        self.net, self.labels, self.settings = net.eval(), labels, settings
        self.weights_sha256 = weights_sha256
        self.device = next(net.parameters()).device
        self.gain = float(net.gain)

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the crop that the coarsest view of a defect in this box needs."""
        left, top, right, bottom = box_xyxy
        scale = pyramid(max(bottom - top, right - left), self.settings.side, self.settings.fill)[0]
        side = round(self.settings.side * scale)
        return window_around(((top + bottom) / 2, (left + right) / 2), (side, side), size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch; raises SettingsError for a class it has not learnt."""
        for patch in patches:
            if patch.label not in (*self.labels, GOOD):
                raise SettingsError(unknown("defect class", patch.label, (*self.labels, GOOD)))
        paintings: list[Painting] = []
        for start in range(0, len(patches), MOST_PATCHES):
            paintings += self._paint_together(patches[start : start + MOST_PATCHES])
        return paintings

    def _paint_together(self, patches: Sequence[Patch]) -> list[Painting]:
        plates = [plate_of(patch.background, self.net.channels) for patch in patches]
        scales = [self._scales(patch.mask) for patch in patches]
        painted: dict[int, tuple[Plate, float]] = {}
        for level in range(max(map(len, scales), default=0)):
            members = [number for number in range(len(patches)) if level < len(scales[number])]
            views = [
                canvas_of(number, plates[number], patches[number].mask, scales[number][level], self.settings)
                for number in members
            ]
            views = [view for view in views if view[1] and (not level or self._affordable(view[1]))]
            if not views:
                continue
            sheet = Sheet(views)
            for canvas, result in zip(sheet.canvases, self._denoise(patches, sheet, level, painted), strict=True):
                painted[canvas.patch] = (result, canvas.scale)
        return [
            _finish(patch, plate, *painted[number]) if number in painted else Painting(patch.background, patch.mask)
            for number, (patch, plate) in enumerate(zip(patches, plates, strict=True))
        ]

    def _affordable(self, windows: Sequence[Window]) -> bool:
        return len(windows) <= self.settings.sampling.max_windows

    def _scales(self, mask: NDArray[np.bool_]) -> tuple[float, ...]:
        if not mask.any():
            return ()
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        return pyramid(float(extent), self.settings.side, self.settings.fill)

    @torch.inference_mode()
    def _denoise(
        self, patches: Sequence[Patch], sheet: Sheet, level: int, painted: dict[int, tuple[Plate, float]]
    ) -> list[Plate]:
        """Paint all canvases of a sheet, from noise at the coarsest level, from the coarser painting below it."""
        sampling, channels = self.settings.sampling, self.net.channels + 1
        sigmas = karras_sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
        start = torch.zeros(1)
        if level:
            sigmas = karras_sigmas(sampling.refine_steps, sampling.sigma_min, sampling.refine_sigma)
            start = sheet.array(channels, lambda canvas: self._start(canvas, painted[canvas.patch][0]))
        x = (start + sheet.noise(patches, channels, "noise", level)() * sigmas[0]).to(self.device)
        fresh = sheet.noise(patches, channels, "fresh", level)
        known, region = sheet.known(self.gain).to(self.device), sheet.region().to(self.device)
        denoiser = keep_known(tiled(_Calls(self, patches, sheet, known, region), sheet.windows), known, region)
        done = SAMPLERS[sampling.sampler](denoiser, x, sigmas, noise=lambda: fresh().to(self.device))
        return sheet.apart(done, self.gain)

    def _start(self, canvas: Canvas, coarse: Plate) -> Plate:
        finer = shrink(coarse, canvas.size_hw)
        return np.concatenate([(finer[..., :-1] - canvas.mean) * self.gain, finer[..., -1:]], 2)


class _Calls:
    """The network on all windows of a sheet, a fixed number at a time."""

    def __init__(
        self, painter: LocalPainter, patches: Sequence[Patch], sheet: Sheet, known: Tensor, region: Tensor
    ) -> None:
        self.painter = painter
        net, device = painter.net, painter.device
        numbers = {label: number for number, label in enumerate(painter.labels)}
        owners = [patches[canvas.patch] for canvas in sheet.owners]
        guides = [_guide(patch) for patch in owners]
        window_region = sheet.cut(region)
        self.condition = Condition(
            known=sheet.cut(known[:, :-1]) * (1 - window_region),
            region=window_region,
            asked=sheet.cut(sheet.asked()).to(device),
            label=torch.tensor([numbers.get(patch.label, net.good) for patch in owners], device=device),
            guide=torch.tensor(np.stack([vector for vector, _ in guides]), device=device),
            guided=torch.tensor([[told] for _, told in guides], device=device),
            scale=torch.log2(torch.tensor([canvas.scale for canvas in sheet.owners], device=device)),
        )

    def __call__(self, crops: Tensor, sigmas: Tensor) -> Tensor:
        parts = [self._call(crops, sigmas, start) for start in range(0, len(crops), CHUNK)]
        return torch.cat(parts)[: len(crops)]

    def _call(self, crops: Tensor, sigmas: Tensor, start: int) -> Tensor:
        rows = torch.arange(start, start + CHUNK, device=crops.device).clamp(max=len(crops) - 1)
        condition, net, guidance = self.condition[rows], self.painter.net, self.painter.settings.sampling.guidance
        with autocast_for(self.painter.device, self.painter.settings.loop.precision):
            clean: Tensor = net(crops[rows], sigmas[rows], condition)
            if guidance != 1:
                free = net(crops[rows], sigmas[rows], _unconditional(condition, net))
                clean = free + guidance * (clean - free)
        return clean.float()


def _unconditional(condition: Condition, net: LocalNet) -> Condition:
    label = torch.where(condition.label == net.good, condition.label, net.unknown)
    return dataclasses.replace(condition, label=label, guided=torch.zeros_like(condition.guided))


def _guide(patch: Patch) -> tuple[NDArray[np.float32], float]:
    """Return the guide vector of a patch, its geometry measured on the mask, and 1 if it was told one, else 0."""
    if not patch.guide:
        return np.zeros(len(GUIDE), np.float32), 0.0
    measures = {**dict.fromkeys(GUIDE, 0.0), **patch.guide, **shape_guide(patch.mask)}
    return np.array([measures[name] for name in GUIDE], np.float32), 1.0


def _finish(patch: Patch, plate: Plate, painted: Plate, scale: float) -> Painting:
    """Return to the patch's own size, depth and channels. Coarse paintings add their change to the sharp background."""
    if scale != 1.0:
        coarse = shrink(plate, (painted.shape[0], painted.shape[1]))
        change = np.concatenate([painted[..., :-1] - coarse, painted[..., -1:]], 2)
        change = shrink(change, (patch.mask.shape[0], patch.mask.shape[1]))
        painted = np.concatenate([plate + change[..., :-1], change[..., -1:]], 2)
    image = picture_of(painted[..., :-1], patch.background.dtype)
    if image.shape[2] != patch.background.shape[2]:
        image = image[..., :1] if patch.background.shape[2] == 1 else np.repeat(image, 3, 2)
    return Painting(image, painted[..., -1] > 0)
