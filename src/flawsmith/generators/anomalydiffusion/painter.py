"""Painting with a trained network: blended diffusion, always the same number of crops at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Denoiser
from flawsmith.core.records import GOOD, Box, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.core.rng import derive_seed
from flawsmith.diffusion.guidance import classifier_free
from flawsmith.diffusion.inpainting import keep_known
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.generators.anomalydiffusion.easel import Easel, window_for
from flawsmith.generators.anomalydiffusion.net import Condition, TokenNet
from flawsmith.generators.anomalydiffusion.reweighting import emphasis
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.tone import Plate
from flawsmith.training.device import autocast_for

CPU_CHUNK, GPU_CHUNK = 8, 64
"""Crops per network call, always: kernels, and so the last bits of a result, can depend on the batch size."""


class TokenPainter:
    """A trained AnomalyDiffusion. The class "good" removes a defect: it paints background under the mask."""

    takes_mask = True

    def __init__(
        self, net: TokenNet, labels: tuple[str, ...], settings: AnomalyDiffusionSettings, weights_sha256: str
    ) -> None:
        self.net, self.labels, self.settings, self.weights_sha256 = net.eval(), labels, settings, weights_sha256
        self.device = next(net.parameters()).device
        self.chunk = CPU_CHUNK if self.device.type == "cpu" else GPU_CHUNK
        self.palette = Palette(net.palette.cpu().numpy())

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the piece of the background that a defect in this box is painted in."""
        return window_for(box_xyxy, size_hw, self.settings)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch exactly under its mask; raises SettingsError for a class it has not learnt."""
        for patch in patches:
            if patch.label not in (*self.labels, GOOD):
                raise SettingsError(unknown("defect class", patch.label, (*self.labels, GOOD)))
        wanted = [number for number, patch in enumerate(patches) if patch.mask.any()]
        pictures = {number: patch.background.copy() for number, patch in enumerate(patches)}
        for start in range(0, len(wanted), self.chunk):
            numbers = wanted[start : start + self.chunk]
            easels = [Easel.of(patches[number], self.palette, self.settings) for number in numbers]
            for number, easel, painted in zip(numbers, easels, self._painted(easels), strict=True):
                pictures[number] = easel.picture(painted)
        return [Painting(pictures[number], patch.mask.copy()) for number, patch in enumerate(patches)]

    @torch.inference_mode()
    def _painted(self, easels: Sequence[Easel]) -> list[Plate]:
        """Return the crops (S, S, C) of a chunk of easels; a short chunk is filled up with its last."""
        sampling, side = self.settings.sampling, self.settings.side
        filled = [easels[min(number, len(easels) - 1)] for number in range(self.chunk)]
        known = self._stack([easel.known.transpose(2, 0, 1) for easel in filled])
        mask, region = (self._stack([getattr(each, name)[None] for each in filled]) for name in ("mask", "region"))
        seeds = [derive_seed(easel.patch.seed, "noise") for easel in filled]
        noise = per_image_noise(seeds, (self.net.channels, side, side), self.device)
        sigmas = karras_sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
        denoiser = keep_known(self._denoiser(self._asked(filled, mask), known), known, region)
        done = SAMPLERS[sampling.sampler](denoiser, known + noise() * float(sigmas[0]), sigmas, noise=noise)
        return list(done[: len(easels)].permute(0, 2, 3, 1).cpu().numpy())

    def _stack(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).float().to(self.device)

    def _asked(self, easels: Sequence[Easel], mask: Tensor) -> Condition:
        numbers = {label: number for number, label in enumerate(self.labels)}
        label = torch.tensor([numbers.get(easel.patch.label, self.net.good) for easel in easels], device=self.device)
        scale = torch.tensor([easel.scale for easel in easels], device=self.device).log2()
        return Condition(label, mask, torch.ones_like(scale), scale)

    def _denoiser(self, asked: Condition, background: Tensor) -> Denoiser:
        sampling = self.settings.sampling
        nothing = Condition(
            torch.full_like(asked.label, self.net.nothing), asked.mask, torch.zeros_like(asked.told), asked.scale
        )

        def told(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            estimate = self._call(x_NCHW, sigma_N, asked)
            if not sampling.reweighting:
                return estimate
            louder = emphasis(estimate, background, asked.mask, float(sigma_N[0]))
            return self._call(x_NCHW, sigma_N, asked.emphasised(louder))

        def untold(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            return self._call(x_NCHW, sigma_N, nothing)

        return classifier_free(told, untold, sampling.guidance)

    def _call(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        with autocast_for(self.device, self.settings.loop.precision):
            clean: Tensor = self.net(x, sigma, condition)
        return clean.float()
