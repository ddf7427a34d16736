"""A small classifying network for the CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.convs import conv_pair, start_for_relu


class SmallNet(nn.Module):
    """Map images (N, C, S, S) to logits (N, classes).

    Each channel of the last stage is reported by its mean and by its largest value: a defect may be a single spot.
    """

    def __init__(self, channels: int, classes: int, width: int, stages: int) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(stages)]
        entering = [channels, *widths[:-1]]
        self.stages = nn.ModuleList(conv_pair(before, after) for before, after in zip(entering, widths, strict=True))
        self.head = nn.Linear(2 * widths[-1], classes)
        self.apply(start_for_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits in float32 (the last layer ignores autocast: bfloat16 would tie scores)."""
        for level, stage in enumerate(self.stages):
            x = stage(F.max_pool2d(x, 2) if level else x)
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            logits: Tensor = self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        return logits
