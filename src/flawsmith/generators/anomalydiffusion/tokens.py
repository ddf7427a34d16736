"""The tokens that say what to paint and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.nets.mask_encoder import MaskEncoder


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


class Tokens(nn.Module):
    """Tokens (N, T, E): one that is always the same, those of the class, those of the mask."""

    def __init__(self, classes: int, width: int, settings: AnomalyDiffusionSettings) -> None:
        super().__init__()
        own = settings.net
        self.classes = classes
        self.types = nn.Parameter(torch.randn(classes, own.type_tokens, width))
        self.others = nn.Parameter(torch.randn(2, own.type_tokens, width))
        self.plain = nn.Parameter(torch.randn(1, 1, width))
        self.encoder = MaskEncoder(settings.side, own.spatial_tokens, width) if settings.spatial_encoder else None
        self.nowhere = nn.Parameter(torch.randn(1, own.spatial_tokens, width)) if settings.spatial_encoder else None

    @property
    def of_defects(self) -> list[nn.Parameter]:
        """The tokens of the defects, and the mask encoder."""
        return [self.types, *([] if self.encoder is None else self.encoder.parameters())]

    def forward(self, condition: Condition) -> Tensor:
        """Return the tokens of what is asked."""
        table = torch.cat([self.types, self.others]).flatten(1)
        what = F.embedding(condition.label, table).reshape(-1, *self.types.shape[1:])
        parts = [self.plain.expand(len(what), -1, -1), what]
        if self.encoder is not None and self.nowhere is not None:
            told = condition.told[:, None, None]
            parts.append(told * self.encoder(condition.mask) + (1 - told) * self.nowhere)
        return torch.cat(parts, 1)
