"""What is added to the attention of a U-Net of diffusers: emphasis, and low-rank additions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from flawsmith.core.errors import DataError
from flawsmith.nets.attention import Context, emphasised
from flawsmith.nets.unet2d import import_diffusers

SELF, CROSS = "attn1", "attn2"
"""What diffusers calls the two kinds of attention."""
PLAIN = 1
"""Tokens, the first ones, that emphasis leaves alone."""


class EmphasisingProcessor:
    """An attention processor of diffusers that takes an `emphasis` (N, 1, h, w) of a square picture's places.

    With it, cross-attention multiplies what each place thinks of all but the plain tokens (`attention.emphasised`).
    Without it, and in self-attention, it is diffusers' own.
    """

    def __init__(self) -> None:
        import_diffusers()
        from diffusers.models.attention_processor import AttnProcessor2_0

        self.usual = AttnProcessor2_0()  # type: ignore[no-untyped-call]

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        emphasis: Tensor | None = None,
    ) -> Tensor:
        """Attend: (N, L, C) to tokens (N, T, E), or to itself."""
        if emphasis is None or encoder_hidden_states is None:
            usual: Tensor = self.usual(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
            return usual
        tokens, side = encoder_hidden_states, math.isqrt(hidden_states.shape[1])
        parts = attn.to_q(hidden_states), attn.to_k(tokens), attn.to_v(tokens)
        query, key, value = (each.unflatten(2, (attn.heads, -1)).transpose(1, 2) for each in parts)
        logits = query @ key.transpose(-1, -2) * attn.scale
        mixed = emphasised(logits, Context(tokens, PLAIN, emphasis), (side, side)).softmax(-1) @ value
        changed: Tensor = attn.to_out[1](attn.to_out[0](mixed.transpose(1, 2).flatten(2)))
        return changed


def take_emphasis(unet: Any) -> None:
    """Let every attention of a U-Net take an emphasis. Raises DataError for attention of a kind that is not known."""
    kinds = {type(each).__name__ for each in unet.attn_processors.values()}
    if not any(True for _ in _attentions(unet, (CROSS,))) or kinds - {"AttnProcessor", "AttnProcessor2_0"}:
        raise DataError(
            f"a U-Net with attention by {sorted(kinds) or 'nothing'}: expected cross-attention to tokens, as in Stable "
            "Diffusion 1 and 2"
        )
    unet.set_attn_processor(EmphasisingProcessor())


def add_to_attention(
    unet: nn.Module, kinds: tuple[str, ...], wrap: Callable[[nn.Linear], nn.Module]
) -> list[nn.Module]:
    """Put `wrap` around the four linear maps of every attention of these kinds, and return what came of it."""
    wrapped = []
    for attention in list(_attentions(unet, kinds)):
        for home, name in ((attention, "to_q"), (attention, "to_k"), (attention, "to_v"), (attention.to_out, "0")):
            around = wrap(getattr(home, name))
            setattr(home, name, around)
            wrapped.append(around)
    return wrapped


def _attentions(unet: nn.Module, kinds: tuple[str, ...]) -> Iterator[Any]:
    return (module for name, module in unet.named_modules() if name.rpartition(".")[2] in kinds)
