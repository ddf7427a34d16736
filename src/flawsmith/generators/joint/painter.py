"""Painting with a trained network: picture and mask come out of the same sampling."""

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
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.generators.crops.drawing import chunk_for, in_chunks, refuse_unknown, stacked
from flawsmith.generators.crops.easel import Easel, window_for
from flawsmith.generators.crops.mask_channel import as_share
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.joint.freedom import window_of_freedom
from flawsmith.generators.joint.net import Condition, JointNet
from flawsmith.generators.joint.settings import JointSettings
from flawsmith.training.device import autocast_for


class JointPainter:
    """A trained joint generator. Of the mask asked for it takes place and extent only: the shape is its own.

    The class "good" removes a defect: it paints background in the window.
    """

    takes_mask = True

    def __init__(self, net: JointNet, labels: tuple[str, ...], settings: JointSettings, weights_sha256: str) -> None:
        self.net, self.labels, self.settings, self.weights_sha256 = net.eval(), labels, settings, weights_sha256
        self.device = next(net.parameters()).device
        self.chunk = chunk_for(self.device)
        self.palette = Palette(net.palette.cpu().numpy())

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the piece of the background that a defect in this box is painted in."""
        return window_for(box_xyxy, size_hw, self.settings)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch; raises SettingsError for a class it has not learnt.

        A painting's mask is what the network says, empty where it drew no defect.
        """
        refuse_unknown(patches, self.labels)
        easels = [Easel.of(each, self.palette, self.settings, self._free) for each in patches if each.mask.any()]
        drawn = in_chunks(easels, self.chunk, self._drawn)
        paintings = iter([_painting(easel, state) for easel, state in zip(easels, drawn, strict=True)])
        return [
            next(paintings) if patch.mask.any() else Painting(patch.background.copy(), patch.mask.copy())
            for patch in patches
        ]

    def _free(self, asked: Mask) -> Mask:
        """Return the window of freedom (S, S) around what is asked for."""
        room = torch.full((1, 4), self.settings.margin)
        return np.asarray(window_of_freedom(torch.from_numpy(asked)[None, None], room)[0, 0].numpy())

    @torch.inference_mode()
    def _drawn(self, easels: Sequence[Easel]) -> list[Tensor]:
        """Return picture and mask (C + 1, S, S) of a chunk of easels."""
        sampling, side = self.settings.sampling, self.settings.side
        photograph = stacked([easel.known.transpose(2, 0, 1) for easel in easels], self.device)
        free = stacked([easel.region[None] for easel in easels], self.device)
        seeds = [derive_seed(easel.patch.seed, "noise") for easel in easels]
        noise = per_image_noise(seeds, (self.net.channels + 1, side, side), self.device)
        sigmas = karras_sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
        denoiser = self._denoiser(self._condition(easels, photograph, free))
        return list(SAMPLERS[sampling.sampler](denoiser, noise() * float(sigmas[0]), sigmas, noise=noise).cpu())

    def _condition(self, easels: Sequence[Easel], photograph: Tensor, free: Tensor) -> Condition:
        numbers = {label: number for number, label in enumerate(self.labels)}
        label = torch.tensor([numbers.get(easel.patch.label, self.net.good) for easel in easels], device=self.device)
        scale = torch.tensor([easel.scale for easel in easels], device=self.device).log2()
        return Condition(photograph, free, label, scale)

    def _denoiser(self, told: Condition) -> Denoiser:
        untold = told.of_class(torch.full_like(told.label, self.net.any_class))

        def under(condition: Condition) -> Denoiser:
            def denoise(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
                with autocast_for(self.device, self.settings.loop.precision):
                    clean: Tensor = self.net(x_NCHW, sigma_N, condition)
                return clean.float()

            return denoise

        return classifier_free(under(told), under(untold), self.settings.sampling.guidance)


def _painting(easel: Easel, state: Tensor) -> Painting:
    """Return what was drawn, picture and mask (C + 1, S, S), as the painting of an easel's patch."""
    return Painting(easel.picture(state[:-1].permute(1, 2, 0).numpy()), easel.mask_of(as_share(state[-1]).numpy()))
