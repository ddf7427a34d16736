"""The noise variance that each step of a chain adds: float64 tensors of shape (steps,)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from flawsmith.core.errors import SettingsError

BetaSchedule = Literal["linear", "scaled_linear", "cosine"]
_COSINE_OFFSET, _MOST = 0.008, 0.999


def betas(schedule: BetaSchedule, steps: int, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Return rising variances: evenly spaced (Ho et al. 2020, section 4), evenly spaced in their roots (Rombach et al.
    2022), or such that the signal falls like a cosine (Nichol & Dhariwal 2021, eq. 17), which has its own ends.

    Raises SettingsError unless 0 < first < last < 1 and there are two steps or more.

    >>> betas("linear", 3, 0.1, 0.3).tolist()
    [0.1, 0.2, 0.3]
    """
    if steps < 2 or not 0 < first < last < 1:
        raise SettingsError(f"got {steps} steps from {first} to {last}: expected at least two, 0 < first < last < 1")
    if schedule == "linear":
        return torch.linspace(first, last, steps, dtype=torch.float64)
    if schedule == "scaled_linear":
        return torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    kept = torch.cos((times + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * (math.pi / 2)) ** 2
    return (1 - kept[1:] / kept[:-1]).clamp(max=_MOST)
