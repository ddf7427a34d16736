"""From noise to pictures, each from its own seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from flawsmith.diffusion.chain import Chain, Stepwise
from flawsmith.diffusion.guidance import classifier_free
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.settings import LatentSamplingSettings
from flawsmith.nets.vqvae import VqVae


@torch.no_grad()
def draw_pictures(
    net: LatentNet,
    vqvae: VqVae,
    chain: Chain,
    size_hw: tuple[int, int],
    condition: Condition,
    seeds: Sequence[int],
    sampling: LatentSamplingSettings,
) -> Tensor:
    """Return a picture (N, C, H, W) in [-1, 1] for each row of the condition and its seed, on the CPU.

    `size_hw` is that of latents. Networks always see `sampling.batch` of them, the last ones repeated: kernels, and so
    the last bits of a result, can depend on the batch size. They run in float32: at high noise, what bfloat16 rounds
    off a prediction is more than the picture.
    """
    device = next(net.parameters()).device
    sigmas = chain.sigmas(sampling.steps)
    parts = []
    for first in range(0, len(seeds), sampling.batch):
        rows = torch.arange(first, first + sampling.batch).clamp(max=len(seeds) - 1)
        told = condition[rows].to(device)
        noise = per_image_noise([seeds[row] for row in rows], (net.channels, *size_hw), device)
        denoiser = classifier_free(
            chain.denoiser(_told(net, told)), chain.denoiser(_told(net, net.forgotten(told))), sampling.guidance
        )
        latents = SAMPLERS[sampling.sampler](denoiser, chain.start(noise(), sigmas), sigmas, noise=noise)
        vectors = (latents * net.spread + net.centre).to(next(vqvae.parameters()).device)
        parts.append(vqvae.decode(vectors).clamp(-1, 1).cpu())
    return torch.cat(parts)[: len(seeds)]


def _told(net: LatentNet, condition: Condition) -> Stepwise:
    def call(x_NCHW: Tensor, steps_N: Tensor) -> Tensor:
        said: Tensor = net(x_NCHW, steps_N, condition)
        return said

    return call
