"""Linear maps that several branches share, each with an addition of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BranchedAddition(nn.Module):
    """A map of low rank for each branch, zero at first (Hu et al. 2022, eq. 3).

    The batch holds one branch's rows after another's.
    """

    def __init__(self, size_in: int, size_out: int, rank: int, branches: int) -> None:
        super().__init__()
        self.narrow = nn.Parameter(torch.randn(branches, size_in, rank) * size_in**-0.5)
        self.widen = nn.Parameter(torch.zeros(branches, rank, size_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (branches * N, L, size_in) to (branches * N, L, size_out)."""
        rows = x.reshape(len(self.narrow), -1, x.shape[-1])
        result: Tensor = (rows @ self.narrow @ self.widen).reshape(*x.shape[:2], -1)
        return result


class BranchedLinear(nn.Module):
    """A linear map and what each branch adds to it."""

    def __init__(self, whole: nn.Linear, rank: int, branches: int) -> None:
        super().__init__()
        self.whole = whole
        self.addition = BranchedAddition(whole.in_features, whole.out_features, rank, branches)

    def forward(self, x: Tensor) -> Tensor:
        """Map (branches * N, L, size_in) to (branches * N, L, size_out)."""
        result: Tensor = self.whole(x) + self.addition(x)
        return result
