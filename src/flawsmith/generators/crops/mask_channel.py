"""A mask that is denoised together with the picture: as one more channel, and back."""

from __future__ import annotations

from torch import Tensor

MASK_SCALE = 0.5
"""The channel is this value on the defect and minus it elsewhere: as strong as what a palette shows of a defect."""


def as_channel(mask: Tensor) -> Tensor:
    """Return a mask in {0, 1} as the channel that takes part in the diffusion.

    >>> import torch
    >>> as_channel(torch.tensor([0.0, 1.0])).tolist()
    [-0.5, 0.5]
    """
    return (mask * 2 - 1) * MASK_SCALE


def as_share(channel: Tensor) -> Tensor:
    """Return how much of each pixel a channel says is defect, 0 to 1: the other way round, and bounded.

    >>> import torch
    >>> as_share(torch.tensor([-0.5, 0.0, 0.7])).tolist()
    [0.0, 0.5, 1.0]
    """
    return (channel / (2 * MASK_SCALE) + 0.5).clamp(0, 1)
