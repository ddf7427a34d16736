"""Looking at the training on its way: pictures at the captions of real ones, compared with those outside defects.

As the paper has it (its figure 6), but for two things: LPIPS is written as the distance that it is, and the real
pictures are the same in every look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import Image
from flawsmith.core.rng import derive_seed, stream
from flawsmith.diffusion.chain import Chain
from flawsmith.features.extractor import Extractor
from flawsmith.features.opening import vgg_extractor
from flawsmith.generators.gallery import Gallery, Hung
from flawsmith.generators.latent.captions import Captions
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.drawing import draw_pictures
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.settings import CheckpointSettings, LatentSamplingSettings
from flawsmith.metrics.perceptual import lpips
from flawsmith.metrics.structure import REACH_PX, ssim_outside
from flawsmith.nets.features.seen import Seen
from flawsmith.nets.vqvae import VqVae
from flawsmith.training.feed import to_image
from flawsmith.training.weights import save_net

LOOKS, LEAST = 10, 2 * REACH_PX + 1
"""How often it is looked when nobody says, and the smallest side that structural similarity takes."""
ROW, WEIGHTS = "look_{:06d}.json", "epoch_{:06d}.safetensors"


@dataclass(frozen=True)
class Looks:
    """What is looked at, with what, and where that is written; `epoch_steps` is how many steps an epoch has."""

    vqvae: VqVae
    chain: Chain
    gallery: Gallery
    captions: Captions
    chosen: Sequence[Hung]
    eyes: Extractor
    settings: CheckpointSettings
    folder: Path
    epoch_steps: int
    every_epochs: int
    seed: int

    def after(self, step: int, net: LatentNet) -> None:
        """Look where it is time, between two steps of training."""
        epoch, rest = divmod(step, self.epoch_steps)
        if not rest and epoch % self.every_epochs == 0:
            self.look(step, net.eval())
            if self.settings.keep_weights:
                save_net(self.folder / WEIGHTS.format(epoch), net, {"epoch": epoch})

    def look(self, step: int, net: LatentNet) -> None:
        """Draw pictures at the captions of the chosen ones, and write how near they come."""
        if not self.chosen:
            return
        made = self._drawn(net)
        masks = [self._defects(real, image) for real, image in zip(self.chosen, made, strict=True)]
        pairs = zip(self.chosen, made, masks, strict=True)
        near = [ssim_outside(real.image, image, mask) for real, image, mask in pairs]
        known = [each for each in near if np.isfinite(each)]
        row = {
            "step": step,
            "epoch": step / self.epoch_steps,
            "images": len(made),
            "ssim_outside": float(np.mean(known)) if known else None,
            "lpips_outside": float(np.mean(self._distances(made, masks))),
        }
        write_json(self.folder / ROW.format(step), row)

    def _drawn(self, net: LatentNet) -> list[Image]:
        told = [self.captions.by_id[each.id] for each in self.chosen]
        condition = Condition.of(told, self.captions.names, self.captions.plane)
        seeds = [derive_seed(self.seed, "look", number) for number in range(len(told))]
        height, width = self.chosen[0].image.shape[:2]
        reduction = 2 ** (len(self.vqvae.down) - 1)
        size_hw = height // reduction, width // reduction
        pictures = draw_pictures(net, self.vqvae, self.chain, size_hw, condition, seeds, LatentSamplingSettings())
        return list(to_image(pictures, np.uint16))

    def _defects(self, real: Hung, made: Image) -> Any:
        """Return where either of two pictures has its defect, the made one as proposed."""
        proposed = self.gallery.proposal(made).mask
        return proposed if real.mask is None else proposed | real.mask

    def _distances(self, made: Sequence[Image], masks: Sequence[Any]) -> Any:
        """Return LPIPS of each pair, with the real picture's pixels on both sides where either has its defect."""
        reals = [each.image for each in self.chosen]
        shared = [np.where(mask[..., None], real, image) for real, image, mask in zip(reals, made, masks, strict=True)]
        return lpips(self.eyes.look(reals).maps, self.eyes.look(shared).maps, self.eyes.lpips_weights)

    def conclude(self) -> dict[str, Any]:
        """Return all looks in order, with what saw them; the files of single ones go."""
        files = sorted(self.folder.glob(ROW.replace("{:06d}", "*")))
        rows = [read_json(file) for file in files]
        for file in files:
            file.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
        return {"seen_by": self.eyes.identity, "looks": rows}


class EncoderEyes(torch.nn.Module):
    """The encoder of a VQ-VAE as a network that looks at pictures."""

    def __init__(self, vqvae: VqVae) -> None:
        super().__init__()
        self.vqvae = vqvae

    def forward(self, x_NCHW: torch.Tensor) -> Seen:
        """Return the encoder's maps."""
        maps, vectors = self.vqvae.maps(x_NCHW)
        return Seen(vectors.flatten(1), None, maps)


def eyes_of(settings: CheckpointSettings, vqvae: VqVae, weights_sha256: str, side: int, channels: int) -> Extractor:
    """Return what sees the pictures for LPIPS: VGG-16 where its weights are given, or the VQ-VAE's encoder."""
    if settings.vgg is not None:
        return vgg_extractor(settings.vgg, settings.lpips_weights)
    identity = {"name": "vqvae_encoder", "side": side, "weights_sha256": weights_sha256}
    return Extractor(EncoderEyes(vqvae), identity, side, channels)


def chosen_of(gallery: Gallery, most: int, seed: int) -> list[Hung]:
    """Return real defect pictures to compare with, at most so many; none where they are too small to compare."""
    if min(gallery.defects[0].image.shape[:2]) < LEAST:
        return []
    order = stream(seed, "looks").permutation(len(gallery.defects))[:most]
    return [gallery.defects[number] for number in sorted(order)]
