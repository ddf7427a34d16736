"""A U-Net (Ronneberger et al. 2015) with modulated residual blocks, cheap enough for a CPU.

The image may enter and leave through a pixel (un)shuffle, which leaves out full-resolution convolutions: they cost
most, but fine texture is learnt by them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.attention import Context, CrossAttention
from flawsmith.nets.blocks import ResidualBlock, SelfAttention, groups_of

Between = Callable[[int, Tensor], Tensor]
"""(number of a place, its features) -> features: what else happens to them. Places are the levels going down, then
those going up, in the order they are run through.
"""


class UNet(nn.Module):
    """Map (N, channels_in, S, S) and an embedding (N, E) to (N, channels_out, S, S).

    `widths` are the channels per level, each level half the size of the one above; S must be divisible by
    `patch` * 2 ** (levels - 1). Self-attention sits at the bottom only. Without `attention` it sits nowhere: then no
    place sees further than the convolutions reach, but for what normalisation tells of the whole. With `tokens`, the
    length of a token, every level looks at those of a context too, by cross-attention with low-rank additions of `rank`
    (0: none).
    """

    def __init__(  # noqa: PLR0913  (a network's shape: each has one meaning)
        self,
        channels_in: int,
        channels_out: int,
        widths: tuple[int, ...],
        blocks: int,
        embedding: int,
        patch: int = 2,
        tokens: int = 0,
        rank: int = 0,
        *,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Conv2d(channels_in * patch**2, widths[0], 3, padding=1)
        entering = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(
            _stack(before, width, blocks, embedding) for before, width in zip(entering, widths, strict=True)
        )
        self.middle_attention = SelfAttention(widths[-1]) if attention else nn.Identity()
        self.middle = ResidualBlock(widths[-1], widths[-1], embedding)
        below = (*widths[1:], widths[-1])
        self.up = nn.ModuleList(
            _stack(under + width, width, blocks, embedding) for under, width in zip(below, widths, strict=True)
        )
        looking = widths if tokens else ()
        self.down_look, self.up_look = (
            nn.ModuleList(CrossAttention(width, tokens, rank) for width in looking) for _ in range(2)
        )
        width = widths[0]
        self.norm = nn.GroupNorm(groups_of(width), width)
        self.leave = nn.Conv2d(width, channels_out * patch**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(
        self,
        x: Tensor,
        embedding: Tensor,
        context: Context | None = None,
        *,
        amid: Tensor | None = None,
        between: Between | None = None,
    ) -> Tensor:
        """Run the network; `amid` (N, E) is added to the embedding in the middle block alone, and `between` may change
        what each level gives.
        """
        x = self.enter(F.pixel_unshuffle(x, self.patch))
        skips = []
        for level, stack in enumerate(self.down):
            x = _run(stack, x if level == 0 else F.avg_pool2d(x, 2), embedding)
            x = x if context is None else self.down_look[level](x, context)
            x = x if between is None else between(level, x)
            skips.append(x)
        x = self.middle(self.middle_attention(x), embedding if amid is None else embedding + amid)
        for level in reversed(range(len(self.up))):
            x = _run(self.up[level], torch.cat([x, skips[level]], 1), embedding)
            x = x if context is None else self.up_look[level](x, context)
            x = x if between is None else between(2 * len(self.up) - 1 - level, x)
            if level:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), self.patch)


def _stack(channels_in: int, width: int, blocks: int, embedding: int) -> nn.ModuleList:
    return nn.ModuleList(ResidualBlock(width if i else channels_in, width, embedding) for i in range(blocks))


def _run(stack: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
    for block in stack.children():
        x = block(x, embedding)
    return x
