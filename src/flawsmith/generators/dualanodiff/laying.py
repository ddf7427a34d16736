"""Laying what a small picture changes on the photograph it was made for."""

from __future__ import annotations

import torch
from torch import Tensor

from flawsmith.core.records import Image, Mask
from flawsmith.masks.morphology import dilate
from flawsmith.training.feed import in_channels, resized, to_image, to_tensor

NEAR_PX = 3
"""A defect is laid with this much around its mask: the tone there is that its change is measured from."""


def laid_on(photo: Image, change_1CHW: Tensor, mask: Mask) -> Image:
    """Return a photograph (HWC) with the change around a mask (HW) added, both at the network's size.

    Its grain stays beneath. A picture's tone is never quite the photograph's: the change is taken relative to that just
    around the mask, so that no step shows there. `change_1CHW` is in [-2, 2], the difference of pictures in [-1, 1].
    """
    if not mask.any():
        return photo.copy()
    near = dilate(mask, NEAR_PX)
    around = change_1CHW[:, :, torch.from_numpy(near & ~mask)]
    level = around.mean(2) if around.numel() else torch.zeros_like(change_1CHW[:, :, 0, 0])
    relative = (change_1CHW - level[:, :, None, None]) * torch.from_numpy(near)
    channels, size_hw = photo.shape[2], (photo.shape[0], photo.shape[1])
    large = 2 * resized((in_channels(relative, channels) / 2), size_hw)
    laid: Image = to_image(to_tensor([photo], channels) + large, photo.dtype)[0]
    return laid
