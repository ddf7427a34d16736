"""Painting with a trained network: blended diffusion, always the same number of crops at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Denoiser
from flawsmith.core.records import Box, Mask, Painting, Patch
from flawsmith.core.rng import derive_seed
from flawsmith.diffusion.guidance import classifier_free
from flawsmith.diffusion.inpainting import keep_known, region_of
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.reweighting import emphasis
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.anomalydiffusion.tokens import Condition
from flawsmith.generators.crops.drawing import in_chunks, refuse_unknown, stacked
from flawsmith.generators.crops.easel import Easel, window_for
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.tone import Plate
from flawsmith.training.device import autocast_for


class TokenPainter:
    """A trained AnomalyDiffusion. The class "good" removes a defect: it paints background under the mask."""

    takes_mask = True

    def __init__(
        self,
        net: TokenNet,
        channels: int,
        labels: tuple[str, ...],
        settings: AnomalyDiffusionSettings,
        weights_sha256: str,
    ) -> None:
        self.net, self.labels, self.settings, self.weights_sha256 = net.eval(), labels, settings, weights_sha256
        self.device = next(net.parameters()).device
        self.chunk = net.trunk.chunk(self.device)
        self.plain = Palette(np.eye(channels, dtype=np.float32))

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the piece of the background that a defect in this box is painted in."""
        return window_for(box_xyxy, size_hw, self.settings)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch exactly under its mask; raises SettingsError for a class it has not learnt."""
        refuse_unknown(patches, self.labels)
        easels = [Easel.of(each, self.plain, self.settings, self._region) for each in patches if each.mask.any()]
        painted = in_chunks(easels, self.chunk, self._painted)
        pictures = iter([easel.picture(crop) for easel, crop in zip(easels, painted, strict=True)])
        return [
            Painting(next(pictures) if patch.mask.any() else patch.background.copy(), patch.mask.copy())
            for patch in patches
        ]

    def _region(self, asked: Mask) -> Mask:
        """Return what is repainted (S, S): what is asked for, grown by the margin."""
        return np.asarray(region_of(torch.from_numpy(asked)[None, None], self.settings.margin)[0, 0].numpy())

    @torch.inference_mode()
    def _painted(self, easels: Sequence[Easel]) -> list[Plate]:
        """Return the crops (S, S, C) of a chunk of easels."""
        sampling, trunk = self.settings.sampling, self.net.trunk
        tones = stacked([easel.known.transpose(2, 0, 1) for easel in easels], self.device)
        around = stacked([easel.around for easel in easels], self.device)
        mask, region = (
            stacked([getattr(easel, name)[None] for easel in easels], self.device) for name in ("mask", "region")
        )
        known = trunk.enter(tones, around)
        seeds = [derive_seed(easel.patch.seed, "noise") for easel in easels]
        noise = per_image_noise(seeds, (known.shape[1], known.shape[2], known.shape[3]), self.device)
        sigmas = trunk.sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
        denoiser = keep_known(self._denoiser(self._asked(easels, mask), known), known, trunk.cells(region))
        done = SAMPLERS[sampling.sampler](denoiser, known + noise() * float(sigmas[0]), sigmas, noise=noise)
        change = trunk.leave(done, around) - trunk.leave(known, around)  # so errors of an autoencoder cancel
        return list((tones + change).permute(0, 2, 3, 1).cpu().numpy())

    def _asked(self, easels: Sequence[Easel], mask: Tensor) -> Condition:
        numbers = {label: number for number, label in enumerate(self.labels)}
        label = torch.tensor([numbers.get(easel.patch.label, self.net.good) for easel in easels], device=self.device)
        scale = torch.tensor([easel.scale for easel in easels], device=self.device).log2()
        return Condition(label, mask, torch.ones_like(scale), scale)

    def _denoiser(self, asked: Condition, background: Tensor) -> Denoiser:
        sampling, trunk = self.settings.sampling, self.net.trunk
        place = trunk.cells(asked.mask)
        nothing = Condition(
            torch.full_like(asked.label, self.net.nothing), asked.mask, torch.zeros_like(asked.told), asked.scale
        )

        def told(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            estimate = self._call(x_NCHW, sigma_N, asked)
            if not sampling.reweighting:
                return estimate
            sigma = float(sigma_N[0])
            louder = emphasis(estimate, background, place, sigma, cell=trunk.cell, sigma_data=trunk.sigma_data)
            return self._call(x_NCHW, sigma_N, asked.emphasised(louder))

        def untold(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            return self._call(x_NCHW, sigma_N, nothing)

        return classifier_free(told, untold, sampling.guidance)

    def _call(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        with autocast_for(self.device, self.settings.loop.precision):
            clean: Tensor = self.net(x, sigma, condition)
        return clean.float()
