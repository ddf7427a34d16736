"""A codebook that vectors are replaced by the nearest entry of: van den Oord et al. 2017, "Neural discrete
representation learning".

It learns by moving averages of what chose each code (appendix A.1), not by gradients. A code that hardly anything
chooses begins anew at a vector of the batch (Dhariwal et al. 2020, "Jukebox", section 3.2); so do all at the start.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Quantised(NamedTuple):
    """Codes in place of vectors: the entries (N, D, H, W), with gradients as if they were the vectors themselves; the
    number of each (N, H, W); and how far, in mean squares, the vectors were from them (commitment, a scalar).
    """

    entries: Tensor
    numbers: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """`size` codes of `channels` numbers each. `decay` is the share of a running average that a step keeps; a code
    chosen by less than `dead_share` of the mean use begins anew.
    """

    codes: Tensor
    uses: Tensor
    sums: Tensor

    def __init__(self, size: int, channels: int, decay: float = 0.98, dead_share: float = 0.1) -> None:
        super().__init__()
        self.decay, self.dead_share = decay, dead_share
        self.register_buffer("codes", torch.randn(size, channels))
        self.register_buffer("uses", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, channels))

    def forward(self, x_NDHW: Tensor) -> Quantised:
        """Replace the vector at every position by the nearest code. In full precision: near ties are common."""
        with torch.autocast(x_NDHW.device.type, enabled=False):
            x = x_NDHW.float()
            numbers = nearest_codes(x, self.codes)
            found = self.codes[numbers].permute(0, 3, 1, 2)
            commitment = (x - found).square().mean()
            return Quantised(x + (found - x).detach(), numbers, commitment)

    @torch.no_grad()
    def follow(self, x_NDHW: Tensor, numbers_NHW: Tensor, rng: torch.Generator) -> None:
        """Move the codes towards the vectors that chose them; `rng` draws where dead ones begin anew."""
        vectors = x_NDHW.detach().float().permute(0, 2, 3, 1).reshape(-1, x_NDHW.shape[1])
        chosen = numbers_NHW.flatten()
        size, usual = len(self.codes), len(vectors) / len(self.codes)
        self.uses.lerp_(torch.bincount(chosen, minlength=size).to(self.uses), 1 - self.decay)
        self.sums.lerp_(torch.zeros_like(self.sums).index_add_(0, chosen, vectors), 1 - self.decay)
        dead = self.uses < self.dead_share * usual
        picked = torch.randint(len(vectors), (size,), generator=rng, device=rng.device).to(vectors.device)
        self.uses.masked_fill_(dead, usual)
        self.sums.copy_(torch.where(dead[:, None], vectors[picked] * usual, self.sums))
        self.codes.copy_(self.sums / self.uses[:, None])


def nearest_codes(x_NDHW: Tensor, codes_KD: Tensor) -> Tensor:
    """Return the number (N, H, W) of the nearest code to each vector: the least |code|² - 2 vector · code."""
    likeness = torch.einsum("ndhw,kd->nhwk", x_NDHW, codes_KD)
    return (codes_KD.square().sum(1) - 2 * likeness).argmin(3)


def perplexity(numbers: Tensor, size: int) -> float:
    """Return how many codes are in use, in effect: e to the entropy of their shares, 1 to `size`.

    >>> round(perplexity(torch.tensor([0, 1, 2, 3]), 8), 6)
    4.0
    """
    shares = torch.bincount(numbers.flatten(), minlength=size).double() / numbers.numel()
    return float(torch.special.entr(shares).sum().exp())
