"""Painting with a trained network: a picture and its defect alone, always the same number of pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Denoiser
from flawsmith.core.records import Box, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.core.rng import derive_seed
from flawsmith.diffusion.guidance import classifier_free
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.generators.dualanodiff.ground import mask_of
from flawsmith.generators.dualanodiff.laying import laid_on
from flawsmith.generators.dualanodiff.net import Condition, DualNet
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.gallery import Gallery, as_tensor
from flawsmith.generators.whole import painting_under
from flawsmith.training.device import autocast_for
from flawsmith.training.feed import resized, to_image, to_tensor


class DualPainter:
    """A trained DualAnoDiff, and the gallery its pictures are compared with.

    `faint` is by how much nearly all of the product's defects depart from the ground (see `ground.Ground`).
    """

    takes_mask = False

    def __init__(
        self,
        net: DualNet,
        labels: tuple[str, ...],
        settings: DualAnoDiffSettings,
        gallery: Gallery,
        faint: float,
        weights_sha256: str,
    ) -> None:
        self.net, self.labels, self.settings, self.gallery = net.eval(), labels, settings, gallery
        self.faint, self.weights_sha256 = faint, weights_sha256
        self.device = next(net.parameters()).device

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the whole picture."""
        return Window(0, 0, *size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Make a picture for every patch, as large as it is; raises SettingsError for a class it has not learnt."""
        for patch in patches:
            if patch.label not in self.labels:
                raise SettingsError(unknown("defect class", patch.label, self.labels))
        batch, paintings = self.settings.sampling.batch, list[Painting]()
        for start in range(0, len(patches), batch):
            chunk = patches[start : start + batch]
            photos = torch.cat([self._seen(patch) for patch in chunk])
            pairs = self.draw([patch.label for patch in chunk], [patch.seed for patch in chunk], photos)
            seen = self._as_made(photos)
            paintings += [self._painting(*each) for each in zip(chunk, seen, *pairs.chunk(2, 1), strict=True)]
        return paintings

    @torch.inference_mode()
    def draw(self, labels: Sequence[str], seeds: Sequence[int], photos_NCHW: Tensor) -> Tensor:
        """Return pictures and their defects alone (N, 2C, H, W), on the CPU, for at most a batch of classes, seeds and
        backgrounds; it is filled up with its last.
        """
        sampling, trunk, rows = self.settings.sampling, self.net.trunk, self._rows(len(labels))
        background = trunk.enter(photos_NCHW[rows].to(self.device))
        shape = (background.shape[1], background.shape[2], background.shape[3])
        own, behind = ([derive_seed(seeds[row], name) for row in rows] for name in ("noise", "background noise"))
        noise = per_image_noise(own, (2 * shape[0], *shape[1:]), self.device)
        label = torch.tensor([self.labels.index(labels[row]) for row in rows], device=self.device)
        asked = Condition(label, background, per_image_noise(behind, shape, self.device)())
        nothing = asked.labelled(torch.full_like(label, self.net.nothing))
        denoiser = classifier_free(self._denoiser(asked), self._denoiser(nothing), sampling.guidance)
        sigmas = trunk.sigmas(sampling.steps, sampling.sigma_min, sampling.sigma_max)
        done = SAMPLERS[sampling.sampler](denoiser, noise() * float(sigmas[0]), sigmas, noise=noise)
        pictures = torch.cat([trunk.leave(each) for each in done.chunk(2, 1)], 1)
        return pictures[: len(labels)].clamp(-1, 1).cpu()

    @torch.inference_mode()
    def _as_made(self, photos_NCHW: Tensor) -> Tensor:
        """Return photographs as the network would give them back: its pictures differ from these by what it painted."""
        given = photos_NCHW[self._rows(len(photos_NCHW))].to(self.device)
        return self.net.trunk.leave(self.net.trunk.enter(given))[: len(photos_NCHW)].cpu()

    def _rows(self, count: int) -> list[int]:
        """Return the rows of a call of always the same size: a short one repeats its last."""
        return [min(number, count - 1) for number in range(self.settings.sampling.batch)]

    def _denoiser(self, condition: Condition) -> Denoiser:
        def call(x_NCHW: Tensor, sigma_N: Tensor) -> Tensor:
            with autocast_for(self.device, self.settings.loop.precision):
                clean: Tensor = self.net(x_NCHW, sigma_N, condition)
            return clean.float()

        return call

    def _seen(self, patch: Patch) -> Tensor:
        """Return a patch's photograph (1, C, H, W) as the network sees it."""
        return resized(to_tensor([patch.background], self.net.channels), self.settings.size_hw)

    def _painting(self, patch: Patch, photo_CHW: Tensor, picture_CHW: Tensor, defect_CHW: Tensor) -> Painting:
        mask, behind = mask_of(defect_CHW, self.faint), photo_CHW[None]
        laid = self.settings.sampling.composite
        if not laid and not self.net.compensation:  # then the picture knows nothing of the photograph
            number = self.gallery.nearest_good(to_image(picture_CHW[None], np.uint16)[0])
            behind = as_tensor([self.gallery.goods[number]])
        whole = painting_under(mask, picture_CHW, behind, patch, self.gallery, {})
        if not laid:
            return whole
        image = laid_on(patch.background, picture_CHW[None] - photo_CHW[None], mask)
        return replace(whole, image=image, whole=False, bare=None)
