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

from flawsmith.core.geometry import Window
from flawsmith.core.records import Box, Mask, Painting, Patch
from flawsmith.core.rng import stream
from flawsmith.diffusion.inpainting import keep_known
from flawsmith.diffusion.preconditioning import in_units
from flawsmith.diffusion.samplers import SAMPLERS
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.diffusion.tiling import tiled
from flawsmith.generators.crops.drawing import chunk_for, refuse_unknown
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.scales import crop_around, pyramid
from flawsmith.generators.crops.tone import Plate, plate_of
from flawsmith.generators.local.examples import Example, lay_under
from flawsmith.generators.local.net import Condition, LocalNet
from flawsmith.generators.local.settings import LocalSettings, SamplingSettings
from flawsmith.generators.local.sheet import Canvas, Sheet, canvas_of
from flawsmith.generators.local.stroke import Stroke
from flawsmith.masks.guide import GUIDE, shape_guide
from flawsmith.masks.morphology import thickness_px
from flawsmith.training.device import autocast_for

MOST_PATCHES = 64
"""Patches painted together, at most: bounds the memory of the sheet."""
SEEN_PX = 2.0
"""A defect begun from an example is at least so thick at the first scale that it is painted at."""


class LocalPainter:
    """A trained local generator. The class "good" removes a defect: it paints background under the mask."""

    takes_mask = True

    def __init__(
        self,
        net: LocalNet,
        labels: tuple[str, ...],
        settings: LocalSettings,
        weights_sha256: str,
        examples: Sequence[Example] = (),
    ) -> None:
        self.net, self.labels, self.settings = net.eval(), labels, settings
        self.weights_sha256, self.examples = weights_sha256, examples
        self.device = next(net.parameters()).device
        self.chunk = chunk_for(self.device)
        self.palette = Palette(net.palette.cpu().numpy())

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the crop that the coarsest view of a defect in this box needs."""
        left, top, right, bottom = box_xyxy
        scale = pyramid(max(bottom - top, right - left), self.settings.side, self.settings.fill)[0]
        return crop_around(box_xyxy, scale, self.settings.side, size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch; raises SettingsError for a class it has not learnt."""
        refuse_unknown(patches, self.labels)
        strokes = [self._stroke(patch) for patch in patches]
        paintings: dict[int, Painting] = {}
        for begun in (True, False):
            numbers = [number for number, stroke in enumerate(strokes) if (stroke.laid is not None) == begun]
            for start in range(0, len(numbers), MOST_PATCHES):
                together = numbers[start : start + MOST_PATCHES]
                found = self._paint_together([strokes[number] for number in together])
                paintings.update(zip(together, found, strict=True))
        return [paintings[number] for number in range(len(patches))]

    def _stroke(self, patch: Patch) -> Stroke:
        plate, scales = plate_of(patch.background, self.net.channels), self._scales(patch.mask)
        known = [each for each in self.examples if each.label == patch.label]
        if not scales or not known or self.settings.sampling.begin == "noise":
            return Stroke(patch, plate, scales, None)
        scales, rng = self._thick_enough(patch.mask, plate, scales), stream(patch.seed, "example")
        laid = lay_under(patch.mask, scales[0], known, self.settings.symmetry, patch.guide.get("contrast"), rng)
        unit = self.palette.strength(laid.gain * laid.example.tones(self.net.channels)[laid.example.own])
        return Stroke(patch, plate, scales, laid, unit * _freedom(self.settings.sampling, patch))

    def _paint_together(self, strokes: Sequence[Stroke]) -> list[Painting]:
        """Paint strokes that all begin with an example, or all with noise."""
        painted: dict[int, tuple[Plate, float]] = {}
        for level in range(max((len(stroke.scales) for stroke in strokes), default=0)):
            views = [
                canvas_of(number, stroke.plate, stroke.patch.mask, stroke.scales[level], self.settings)
                for number, stroke in enumerate(strokes)
                if level < len(stroke.scales)
            ]
            views = [view for view in views if view[1] and (not level or self._affordable(view[1]))]
            if not views:
                continue
            sheet = Sheet(views)
            for canvas, result in zip(sheet.canvases, self._denoise(strokes, sheet, level, painted), strict=True):
                painted[canvas.patch] = (result, canvas.scale)
        return [
            stroke.finished(*painted[number]) if number in painted else stroke.untouched()
            for number, stroke in enumerate(strokes)
        ]

    def _affordable(self, windows: Sequence[Window]) -> bool:
        return len(windows) <= self.settings.sampling.max_windows

    def _scales(self, mask: NDArray[np.bool_]) -> tuple[float, ...]:
        if not mask.any():
            return ()
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        return pyramid(float(extent), self.settings.side, self.settings.fill)

    def _thick_enough(self, mask: Mask, plate: Plate, scales: tuple[float, ...]) -> tuple[float, ...]:
        """Leave out the scales at which a thin defect would be painted a whole pixel broad, many of the camera's.

        An example has its layout already; only where its windows would be too many does it begin more coarsely.
        """
        thickness = thickness_px(mask)
        last = len(scales) - 1
        first = next((number for number, scale in enumerate(scales) if thickness >= SEEN_PX * scale), last)
        while first and not self._affordable(canvas_of(0, plate, mask, scales[first], self.settings)[1]):
            first -= 1
        return scales[first:]

    @torch.inference_mode()
    def _denoise(
        self, strokes: Sequence[Stroke], sheet: Sheet, level: int, painted: dict[int, tuple[Plate, float]]
    ) -> list[Plate]:
        """Paint all canvases of a sheet: the coarsest level from noise or an example, the others from the one below."""
        sampling, channels = self.settings.sampling, self.net.channels + 1
        patches = [stroke.patch for stroke in strokes]
        sigmas = _noise_levels(sampling, level, strokes[0].laid is not None)
        repainted = sheet.array(
            1, lambda canvas: np.where(canvas.region, strokes[canvas.patch].unit, 1.0)[..., None], 1.0
        )
        units = repainted.to(self.device)
        start = self._start(strokes, sheet, level, painted).to(self.device) / units
        x = start + (sheet.noise(patches, channels, "noise", level)() * sigmas[0]).to(self.device)
        fresh = sheet.noise(patches, channels, "fresh", level)
        known, region = sheet.known(self.palette).to(self.device), sheet.region().to(self.device)
        calls = _Calls(self, patches, sheet, known, region, [strokes[canvas.patch].unit for canvas in sheet.owners])
        denoiser = in_units(keep_known(tiled(calls, sheet.windows), known, region), units)
        done = SAMPLERS[sampling.sampler](denoiser, x, sigmas, noise=lambda: fresh().to(self.device))
        return sheet.apart(done * units, self.palette)

    def _start(
        self, strokes: Sequence[Stroke], sheet: Sheet, level: int, painted: dict[int, tuple[Plate, float]]
    ) -> Tensor:
        """Return what the noise is laid on, (1, C + 1, H, W)."""

        def begun(canvas: Canvas) -> Plate:
            stroke = strokes[canvas.patch]
            if not level:
                return stroke.shown(canvas, self.palette)
            return stroke.refined(canvas, painted[canvas.patch][0], self.palette)

        return sheet.array(self.net.channels + 1, begun)


def _freedom(sampling: SamplingSettings, patch: Patch) -> float:
    """Return by how much the noise on a training defect is stronger than the settings', evenly drawn in octaves."""
    return float(sampling.freedom ** stream(patch.seed, "freedom").random())


def _noise_levels(sampling: SamplingSettings, level: int, by_example: bool) -> Tensor:
    if not level and not by_example:
        return karras_sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
    finer = sampling.detail_noise if by_example else sampling.refine_sigma
    return karras_sigmas(sampling.refine_steps, sampling.sigma_min, finer if level else sampling.example_noise)


class _Calls:
    """The network on all windows of a sheet, a fixed number at a time."""

    def __init__(
        self,
        painter: LocalPainter,
        patches: Sequence[Patch],
        sheet: Sheet,
        known: Tensor,
        region: Tensor,
        units: Sequence[float],
    ) -> None:
        self.painter = painter
        self.units = torch.tensor(units, device=known.device)
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
        sigmas = sigmas * self.units
        parts = [self._call(crops, sigmas, start) for start in range(0, len(crops), self.painter.chunk)]
        return torch.cat(parts)[: len(crops)]

    def _call(self, crops: Tensor, sigmas: Tensor, start: int) -> Tensor:
        rows = torch.arange(start, start + self.painter.chunk, device=crops.device).clamp(max=len(crops) - 1)
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
