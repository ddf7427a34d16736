"""Cross-attention: a picture looks at a few tokens that say what it shows.

Rombach et al. 2022, section 3.3, with the low-rank additions of Hu et al. 2022 where they are wished.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.blocks import groups_of


@dataclass(frozen=True)
class Context:
    """What cross-attention looks at: `tokens` (N, T, E), the first `plain` of them the same whatever is asked for.

    `emphasis` (N, 1, H, W), where it is given, multiplies what each place thinks of all other tokens before the
    softmax; its size need not be that of the picture.
    """

    tokens: Tensor
    plain: int = 0
    emphasis: Tensor | None = None


class LowRankLinear(nn.Module):
    """A linear map and a trainable addition of low rank, zero at first: Hu et al. 2022, eq. 3."""

    def __init__(self, whole: nn.Linear, rank: int) -> None:
        super().__init__()
        self.whole = whole
        self.narrow = nn.Linear(whole.in_features, rank, bias=False)
        self.widen = nn.Linear(rank, whole.out_features, bias=False)
        nn.init.zeros_(self.widen.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., size_in) to (..., size_out)."""
        result: Tensor = self.whole(x) + self.widen(self.narrow(x))
        return result

    @property
    def addition(self) -> list[nn.Parameter]:
        """The parameters of the addition."""
        return [*self.narrow.parameters(), *self.widen.parameters()]


class CrossAttention(nn.Module):
    """Multi-head attention of every place to every token, added to its input (starts as the identity)."""

    def __init__(self, channels: int, tokens: int, rank: int = 0, head_channels: int = 32) -> None:
        super().__init__()
        self.heads = max(1, channels // head_channels)
        self.norm, self.token_norm = nn.GroupNorm(groups_of(channels), channels), nn.LayerNorm(tokens)
        self.query, self.out = _linear(channels, channels, rank), _linear(channels, channels, rank)
        self.key = _linear(tokens, channels, rank, bias=False)  # the softmax would not feel one: noise would move it
        self.value = _linear(tokens, channels, rank)
        last = self.out.whole if isinstance(self.out, LowRankLinear) else self.out
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        places, tokens = self.norm(x).flatten(2).transpose(1, 2), self.token_norm(context.tokens)
        query, key, value = map(self._apart, (self.query(places), self.key(tokens), self.value(tokens)))
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        mixed = emphasised(logits, context, (x.shape[2], x.shape[3])).softmax(-1) @ value
        change: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return x + change.transpose(1, 2).reshape(x.shape)

    def _apart(self, x: Tensor) -> Tensor:
        """Map (N, L, C) to (N, heads, L, C / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def emphasised(logits: Tensor, context: Context, size_hw: tuple[int, int]) -> Tensor:
    """Return (N, heads, H * W, T) logits with those of the tokens that say what is asked for emphasised."""
    if context.emphasis is None:
        return logits
    weight = F.adaptive_avg_pool2d(context.emphasis, size_hw).flatten(2)[..., None].to(logits.dtype)
    return torch.cat([logits[..., : context.plain], logits[..., context.plain :] * weight], -1)


def _linear(size_in: int, size_out: int, rank: int, bias: bool = True) -> nn.Linear | LowRankLinear:
    whole = nn.Linear(size_in, size_out, bias)
    return LowRankLinear(whole, rank) if rank else whole
