"""Drawing whole images from trained DDPMs, each from its own seed, and proposing where their defects are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.core.records import Box, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.diffusion.chain import Chain, Stepwise, fixed_batches
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.generators.ddpm.settings import DdpmSamplingSettings
from flawsmith.generators.gallery import Gallery
from flawsmith.generators.whole import whole_painting


class DdpmPainter:
    """Trained networks by the class they make, `shape_CHW` pictures of them, and the gallery they are compared with.

    Networks run in float32: at high noise, what bfloat16 rounds off a prediction is more than the picture.
    """

    takes_mask = False

    def __init__(
        self,
        networks: Mapping[str, Stepwise],
        shape_CHW: tuple[int, int, int],
        chain: Chain,
        gallery: Gallery,
        sampling: DdpmSamplingSettings,
        weights_sha256: str,
        device: torch.device,
    ) -> None:
        self.networks, self.shape_CHW, self.chain, self.gallery = networks, shape_CHW, chain, gallery
        self.sampling, self.weights_sha256, self.device = sampling, weights_sha256, device

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the whole picture."""
        return Window(0, 0, *size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Make a picture for every patch, as large as it is; raises SettingsError for a class not learnt."""
        paintings: dict[int, Painting] = {}
        for label in dict.fromkeys(patch.label for patch in patches):
            if label not in self.networks:
                raise SettingsError(unknown("defect class", label, self.networks))
            numbers = [number for number, patch in enumerate(patches) if patch.label == label]
            drawn = self.draw(label, [patches[number].seed for number in numbers])
            for number, picture_CHW in zip(numbers, drawn, strict=True):
                paintings[number] = whole_painting(picture_CHW, patches[number], self.gallery, {})
        return [paintings[number] for number in range(len(patches))]

    @torch.inference_mode()
    def draw(self, label: str, seeds: Sequence[int]) -> Tensor:
        """Return a picture (N, C, H, W) in [-1, 1] of a class per seed, on the CPU, at the network's own size.

        A seed is that of the torch generator that draws the image's noise, as pipelines of diffusers take one.
        """
        sigmas = self.chain.sigmas(self.sampling.steps, self.sampling.sigma_max)
        noise = per_image_noise(seeds, self.shape_CHW, self.device)
        denoiser = self.chain.denoiser(fixed_batches(self.networks[label], self.sampling.batch))
        start = self.chain.start(noise(), sigmas)
        return SAMPLERS[self.sampling.sampler](denoiser, start, sigmas, noise=noise).clamp(-1, 1).cpu()
