"""What every painter of crops does around its network: refuse what was not learnt, and call in chunks of one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import GOOD, Patch
from flawsmith.core.registry import unknown

CPU_CHUNK, GPU_CHUNK = 8, 64
"""Crops per network call, always: kernels, and so the last bits of a result, can depend on the batch size."""

Item = TypeVar("Item")
Drawn = TypeVar("Drawn")


def chunk_for(device: torch.device) -> int:
    """Return how many crops a network call takes on a device."""
    return CPU_CHUNK if device.type == "cpu" else GPU_CHUNK


def in_chunks(items: Sequence[Item], size: int, draw: Callable[[Sequence[Item]], Sequence[Drawn]]) -> list[Drawn]:
    """Return what `draw` makes of all items, called with `size` of them, always: a short chunk repeats its last.

    >>> in_chunks([1, 2, 3], 2, lambda chunk: [10 * each for each in chunk])
    [10, 20, 30]
    """
    done: list[Drawn] = []
    for start in range(0, len(items), size):
        chunk = list(items[start : start + size])
        done += list(draw(chunk + chunk[-1:] * (size - len(chunk))))[: len(chunk)]
    return done


def refuse_unknown(patches: Sequence[Patch], labels: Sequence[str]) -> None:
    """Raise SettingsError for a patch of a class that is neither among `labels` nor "good"."""
    for patch in patches:
        if patch.label not in (*labels, GOOD):
            raise SettingsError(unknown("defect class", patch.label, (*labels, GOOD)))


def stacked(arrays: Sequence[NDArray[Any]], device: torch.device) -> Tensor:
    """Return arrays of one shape as a float tensor on a device."""
    return torch.from_numpy(np.stack(arrays)).float().to(device)
