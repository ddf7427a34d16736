"""The network: denoises a crop, and is told by tokens what to paint and where.

It does not see the background as a condition: what surrounds the defect reaches it through the noisy image alone, in
which blended sampling keeps the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.preconditioning import precondition
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.crops.palette import Palette
from flawsmith.nets.attention import Context, LowRankLinear
from flawsmith.nets.blocks import fourier_features
from flawsmith.nets.mask_encoder import MaskEncoder
from flawsmith.nets.unet import UNet

SIGMA_DATA = 0.5
FEATURES = 64


@dataclass(frozen=True)
class Condition:
    """What is asked of N crops of side S.

    `label` (N,) is the class (the last two numbers mean good and nothing), `mask` (N, 1, S, S) where the defect is,
    `told` (N,) in {0, 1} whether the mask counts, `scale` (N,) log2 of camera pixels per pixel, `emphasis`
    (N, 1, S', S') what each place's attention to the tokens is multiplied by, None for 1.
    """

    label: Tensor
    mask: Tensor
    told: Tensor
    scale: Tensor
    emphasis: Tensor | None = None

    def emphasised(self, emphasis: Tensor) -> Condition:
        """Return the condition with another emphasis."""
        return replace(self, emphasis=emphasis)


class TokenNet(nn.Module):
    """Estimate the clean (N, C, S, S) image from a noisy one.

    Images are tones relative to the mean of their surroundings, in the colours of `palette` (C, C), which give defects
    a spread near SIGMA_DATA.
    """

    palette: Tensor

    def __init__(
        self, channels: int, classes: int, settings: AnomalyDiffusionSettings, palette: Palette | None = None
    ) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes
        seen = np.eye(channels, dtype=np.float32) if palette is None else palette.seen
        self.register_buffer("palette", torch.tensor(seen))
        own, width = settings.net, settings.net.embedding
        self.types = nn.Parameter(torch.randn(classes, own.type_tokens, width))
        self.others = nn.Parameter(torch.randn(2, own.type_tokens, width))
        self.plain = nn.Parameter(torch.randn(1, 1, width))
        self.encoder = MaskEncoder(settings.side, own.spatial_tokens, width) if settings.spatial_encoder else None
        self.nowhere = nn.Parameter(torch.randn(1, own.spatial_tokens, width)) if settings.spatial_encoder else None
        self.level = nn.Sequential(nn.Linear(2 * FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.unet = UNet(channels, channels, own.widths, own.blocks, width, own.patch, width, own.rank)

    @property
    def good(self) -> int:
        """The class number of defect-free background."""
        return self.classes

    @property
    def nothing(self) -> int:
        """The class number for being told nothing (classifier-free guidance)."""
        return self.classes + 1

    @property
    def token_parameters(self) -> list[nn.Parameter]:
        """What the second stage moves: the tokens of the defects, the mask encoder, and the low-rank additions."""
        encoder = [] if self.encoder is None else list(self.encoder.parameters())
        additions = [each.addition for each in self.modules() if isinstance(each, LowRankLinear)]
        return [self.types, *encoder, *(parameter for addition in additions for parameter in addition)]

    @property
    def first_parameters(self) -> list[nn.Parameter]:
        """What the first stage moves: everything but the low-rank additions."""
        later = {id(each) for module in self.modules() if isinstance(module, LowRankLinear) for each in module.addition}
        return [each for each in self.parameters() if id(each) not in later]

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Return the clean estimate D(x; sigma)."""
        context = Context(self.tokens(condition), plain=1, emphasis=condition.emphasis)

        def network(scaled: Tensor, noise: Tensor) -> Tensor:
            features = torch.cat([fourier_features(each, FEATURES) for each in (noise, condition.scale)], 1)
            raw: Tensor = self.unet(scaled, self.level(features), context)
            return raw

        return precondition(network, SIGMA_DATA)(x, sigma)

    def tokens(self, condition: Condition) -> Tensor:
        """Return (N, T, E): one token that is always the same, those of the class, those of the mask."""
        table = torch.cat([self.types, self.others]).flatten(1)
        what = F.embedding(condition.label, table).reshape(-1, *self.types.shape[1:])
        parts = [self.plain.expand(len(what), -1, -1), what]
        if self.encoder is not None and self.nowhere is not None:
            told = condition.told[:, None, None]
            parts.append(told * self.encoder(condition.mask) + (1 - told) * self.nowhere)
        return torch.cat(parts, 1)
