"""diffusers' UNet2DModel from settings: the U-Net of DDPM (Ho et al. 2020), which other tools open as well.

diffusers is an extra: it is imported when a network of it is built or opened, and not before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from flawsmith.core.errors import SettingsError
from flawsmith.core.settings import Settings

MOST_GROUPS = 32
"""Groups of the normalisation, as in Ho et al. 2020, appendix B; fewer where widths do not divide."""


def import_diffusers() -> ModuleType:
    """Return the package diffusers. Raises SettingsError, naming the extra, where it is not installed."""
    try:
        return import_module("diffusers")
    except ImportError as error:
        raise SettingsError(
            f"this generator takes its network from diffusers, which cannot be imported ({error}): "
            "pip install 'flawsmith[diffusers]', or choose generator=local"
        ) from None


class UNet2dSettings(Settings):
    """Size of diffusers' UNet2DModel."""

    widths: tuple[int, ...] = Field((64, 128, 256, 256), description="channels per resolution, each half the one above")
    blocks: int = Field(2, ge=1, description="residual blocks per resolution (diffusers: layers_per_block)")
    attention: tuple[int, ...] = Field((3,), description="resolutions that have self-attention, 0 the full one")
    head: int = Field(8, ge=1, description="channels of an attention head")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of activations left out in training")

    @model_validator(mode="after")
    def _levels_must_exist(self) -> Self:
        if not self.widths or any(width % self.head for width in self.widths):
            raise ValueError(f"widths {self.widths} must be multiples of head {self.head}, at least one")
        if any(not 0 <= level < len(self.widths) for level in self.attention):
            raise ValueError(f"attention {self.attention} must lie within 0 to {len(self.widths) - 1}")
        return self


def build_unet2d(settings: UNet2dSettings, size_hw: tuple[int, int], channels: int, classes: int | None) -> nn.Module:
    """Return a fresh UNet2DModel of pictures of `size_hw`; `classes` is the number it is told apart, None for none.

    Raises SettingsError where the size cannot be halved as often as there are resolutions.
    """
    step = 2 ** (len(settings.widths) - 1)
    if any(side % step for side in size_hw):
        raise SettingsError(
            f"a network of {len(settings.widths)} resolutions needs sides divisible by {step}, got {size_hw}"
        )
    has = [level in settings.attention for level in range(len(settings.widths))]
    net: nn.Module = import_diffusers().UNet2DModel(
        sample_size=size_hw[0] if size_hw[0] == size_hw[1] else size_hw,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=settings.blocks,
        block_out_channels=settings.widths,
        down_block_types=tuple("AttnDownBlock2D" if each else "DownBlock2D" for each in has),
        up_block_types=tuple("AttnUpBlock2D" if each else "UpBlock2D" for each in reversed(has)),
        attention_head_dim=settings.head,
        norm_num_groups=math.gcd(MOST_GROUPS, *settings.widths),
        dropout=settings.dropout,
        num_class_embeds=classes,
    )
    return net


def stepwise(net: Any, number: int | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the network for pictures of one class, None for one that tells none apart."""

    def call(x_NCHW: Tensor, steps_N: Tensor) -> Tensor:
        labels = None if number is None else steps_N.new_full((len(steps_N),), number)
        said: Tensor = net(x_NCHW, steps_N, class_labels=labels, return_dict=False)[0]
        return said

    return call


def of_one_class(net: Any, number: int) -> nn.Module:
    """Return a copy of a network of several classes that makes pictures of one, and is told none.

    A class enters as a vector added to the noise embedding, so it can be added to that embedding's bias once and for
    all. Plain pipelines of diffusers, which pass no class, can then draw from it.
    """
    config = {name: value for name, value in net.config.items() if not name.startswith("_")}
    alone: nn.Module = type(net)(**{**config, "num_class_embeds": None})
    tensors = dict(net.state_dict())
    vector = tensors.pop("class_embedding.weight")[number]
    tensors["time_embedding.linear_2.bias"] = tensors["time_embedding.linear_2.bias"] + vector
    alone.load_state_dict(tensors)
    return alone.eval()
