"""Networks on top of a latent diffusion model that the user has: it stays as it is, what they add is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.errors import SettingsError
from flawsmith.diffusion.chain import Chain
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.generators.denoising import no_multiple
from flawsmith.nets.attention import Context
from flawsmith.nets.foreign_attention import take_emphasis
from flawsmith.nets.pipeline import Pipeline
from flawsmith.nets.unet import Between
from flawsmith.training.feed import in_channels

SIGMA_DATA = 1.0
"""Standard deviation of latents, as they are scaled."""


class Stable(nn.Module):
    """A latent diffusion model of others: from pictures to latents and back, and a denoiser of latents told tokens.

    `width` is the length of a token, `factor` what a picture's side shrinks by, `places` the channels of each block of
    attention: what `denoise` may be told to do `between`.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.vae, self.unet = pipeline.vae, pipeline.unet
        self.chain = Chain.of_betas(pipeline.betas_T, pipeline.prediction, clip=None)  # type: ignore[arg-type]
        self.width = int(self.unet.config.cross_attention_dim)
        self.factor = int(2 ** (len(self.vae.config.block_out_channels) - 1))
        take_emphasis(self.unet)
        blocks: list[Any] = [each for each in self.unet.modules() if type(each).__name__ == "Transformer2DModel"]
        self.places = tuple(int(block.norm.num_channels) for block in blocks)
        self._between: Between | None = None
        for place, block in enumerate(blocks):
            block.register_forward_hook(partial(self._visit, place))

    def check_sides(self, name: str, *sides: int) -> None:
        """Raise SettingsError, naming the setting, for sides of pictures that the autoencoder cannot shrink."""
        if fault := no_multiple(name, sides, self.factor):
            raise SettingsError(
                f"{fault}, by which the autoencoder in weights shrinks pictures; Stable Diffusion was made for sides "
                "of 512, and 256 still goes"
            )

    @torch.no_grad()
    def encode(self, pictures_NCHW: Tensor) -> Tensor:
        """Return the latents of pictures in [-1, 1], grey or RGB: the mean, nothing is drawn."""
        with torch.autocast(pictures_NCHW.device.type, enabled=False):
            latents: Tensor = self.vae.encode(in_channels(pictures_NCHW.float(), 3)).latent_dist.mode()
        shift, scale = self._units
        return (latents - shift) * scale

    @torch.no_grad()
    def decode(self, latents: Tensor, channels: int) -> Tensor:
        """Return pictures in [-1, 1] with 1 or 3 channels."""
        shift, scale = self._units
        with torch.autocast(latents.device.type, enabled=False):
            pictures: Tensor = self.vae.decode(latents.float() / scale + shift, return_dict=False)[0]
        return in_channels(pictures.clamp(-1, 1), channels)

    def denoise(self, x: Tensor, sigma: Tensor, context: Context, between: Between | None = None) -> Tensor:
        """Return the clean estimate D(x; sigma) of latents. Emphasis needs square ones; its first token is plain."""
        emphasis = {} if context.emphasis is None else {"emphasis": context.emphasis}

        def network(scaled: Tensor, times: Tensor) -> Tensor:
            said: Tensor = self.unet(
                scaled, times, context.tokens, cross_attention_kwargs=emphasis or None, return_dict=False
            )[0]
            return said

        with self._visited(between):
            return self.chain.denoiser(network, fractions=True)(x, sigma)

    def training_sigmas(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw `count` noise levels, every step of the chain being as likely, on the generator's device."""
        levels = self._levels.to(rng.device, torch.float32)
        return levels[torch.randint(len(levels), (count,), generator=rng, device=rng.device)]

    def sigmas(self, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """Return levels to sample along, from the highest to 0: none beyond those that the model was learnt at."""
        lowest, highest = float(self._levels[0]), float(self._levels[-1])
        return karras_sigmas(steps, min(max(sigma_min, lowest), highest), max(min(sigma_max, highest), lowest))

    @property
    def _levels(self) -> Tensor:
        return self.chain.levels_T[self.chain.levels_T.isfinite()]

    @property
    def _units(self) -> tuple[float, float]:
        config = self.vae.config
        return float(getattr(config, "shift_factor", None) or 0.0), float(config.scaling_factor)

    def _visit(self, place: int, _block: nn.Module, _given: Any, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return output if self._between is None else (self._between(place, output[0]), *output[1:])

    @contextmanager
    def _visited(self, between: Between | None) -> Iterator[None]:
        self._between = between
        try:
            yield
        finally:
            self._between = None


def like_text(context: Context) -> Context:
    """Return tokens with the spread that those of a text model have, which the model of others was learnt with."""
    return replace(context, tokens=F.layer_norm(context.tokens, context.tokens.shape[-1:]))


class OnStable(nn.Module):
    """What is learnt on top of a latent diffusion model.

    That goes along to a device, but is none of its parameters: it is neither learnt nor saved.
    """

    def __init__(self, stable: Stable) -> None:
        super().__init__()
        self._borrowed = (stable,)  # in a tuple, or it would be registered

    @property
    def stable(self) -> Stable:
        """The model underneath."""
        return self._borrowed[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.stable._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
