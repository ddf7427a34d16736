"""The window in which the generator is free: the box of what is asked for, with room around it."""

from __future__ import annotations

import torch
from torch import Tensor


def window_of_freedom(asked: Tensor, room: Tensor) -> Tensor:
    """Return (N, 1, S, S), 1 inside the box around what is asked for (N, 1, S, S) and 0 outside.

    `room` (N, 4), in pixels, is how far the box is moved outwards at its top, bottom, left and right. Where nothing is
    asked for nobody is free.
    """
    rows = _between(asked.amax(3) > 0, room[:, :2])[..., None]
    columns = _between(asked.amax(2) > 0, room[:, 2:])[..., None, :]
    return (rows & columns).to(asked.dtype)


def _between(hit: Tensor, room: Tensor) -> Tensor:
    """Return (N, 1, S), True from the first to the last True of `hit` and as far beyond as `room` (N, 2) says."""
    side = hit.shape[-1]
    place = torch.arange(side, device=hit.device)
    first = hit.int().argmax(-1) - room[:, :1]
    last = side - 1 - hit.flip(-1).int().argmax(-1) + room[:, 1:]
    return (place >= first[..., None]) & (place <= last[..., None]) & hit.any(-1, keepdim=True)
