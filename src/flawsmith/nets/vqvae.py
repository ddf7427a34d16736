"""A VQ-VAE (van den Oord et al. 2017): pictures to a small grid of codes and back.

The decoder sees codes alone, the encoder gives plain vectors: a generator may work with the vectors and leave the
choice of codes to decoding (Rombach et al. 2022, section 3.1).
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.settings import Settings
from flawsmith.nets.blocks import groups_of
from flawsmith.nets.codebook import Codebook, Quantised


class VqVaeSettings(Settings):
    """Size of a VQ-VAE and of its codebook."""

    widths: tuple[int, ...] = Field((32, 64, 128), min_length=1, description="channels per size, each half the last")
    blocks: int = Field(1, ge=1, description="residual blocks per size")
    channels: int = Field(4, ge=1, description="numbers of a code")
    codes: int = Field(512, ge=2, description="entries of the codebook")
    decay: float = Field(0.98, ge=0, lt=1, description="share of its running average that a code keeps in a step")
    dead_share: float = Field(
        0.1, gt=0, lt=1, description="a code chosen by less than this share of the mean use begins anew"
    )

    @property
    def reduction(self) -> int:
        """How many pixels lie along a side of one code."""
        return int(2 ** (len(self.widths) - 1))


class PlainBlock(nn.Module):
    """Norm, SiLU, conv, twice, added to the input (He et al. 2016); the last convolution starts at zero."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(groups_of(channels_in), channels_in)
        self.conv_in = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm_out = nn.GroupNorm(groups_of(channels_out), channels_out)
        self.conv_out = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, Cin, H, W) to (N, Cout, H, W)."""
        hidden = self.conv_out(F.silu(self.norm_out(self.conv_in(F.silu(self.norm_in(x))))))
        result: Tensor = self.shortcut(x) + hidden
        return result


class Reconstruction(NamedTuple):
    """Pictures after a VQ-VAE, the encoder's vectors, and the codes that took their place."""

    pictures: Tensor
    vectors: Tensor
    quantised: Quantised


class VqVae(nn.Module):
    """Pictures (N, channels, H, W) in [-1, 1] to vectors (N, D, H / r, W / r) and back, r the reduction."""

    def __init__(self, channels: int, settings: VqVaeSettings) -> None:
        super().__init__()
        widths, blocks = settings.widths, settings.blocks
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        entering = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(_stack(before, width, blocks) for before, width in zip(entering, widths, strict=True))
        self.to_vectors = _ending(widths[-1], settings.channels)
        self.codebook = Codebook(settings.codes, settings.channels, settings.decay, settings.dead_share)
        self.from_codes = nn.Conv2d(settings.channels, widths[-1], 3, padding=1)
        below = (*widths[1:], widths[-1])
        self.up = nn.ModuleList(_stack(under, width, blocks) for under, width in zip(below, widths, strict=True))
        self.to_picture = _ending(widths[0], channels)

    def encode(self, x: Tensor) -> Tensor:
        """Return the vectors of pictures, before codes take their place."""
        return self.maps(x)[1]

    def maps(self, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the encoder's feature maps, fine to coarse, and the vectors."""
        x, maps = self.enter(x), []
        for level, stack in enumerate(self.down):
            x = stack(x if level == 0 else F.avg_pool2d(x, 2))
            maps.append(x)
        return tuple(maps), self.to_vectors(x)

    def decode(self, vectors: Tensor) -> Tensor:
        """Return the pictures of vectors, each replaced by its nearest code first."""
        return self._painted(self.codebook(vectors).entries)

    def forward(self, x: Tensor) -> Reconstruction:
        """Encode, quantise and decode."""
        vectors = self.encode(x)
        quantised = self.codebook(vectors)
        return Reconstruction(self._painted(quantised.entries), vectors, quantised)

    def _painted(self, entries: Tensor) -> Tensor:
        x = self.from_codes(entries)
        for level in reversed(range(len(self.up))):
            x = self.up[level](x)
            if level:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        picture: Tensor = self.to_picture(x)
        return picture


def _stack(channels_in: int, width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(width if number else channels_in, width) for number in range(blocks)))


def _ending(width: int, channels: int) -> nn.Sequential:
    norm = nn.GroupNorm(groups_of(width), width)
    return nn.Sequential(norm, nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1))
