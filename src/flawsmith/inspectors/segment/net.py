"""The discriminative U-Net of DRAEM (Zavrtanik et al. 2021), at any width and depth, and its focal loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.convs import conv_norm, conv_pair, start_for_relu


class SegmentNet(nn.Module):
    """Map images (N, C, H, W) to logits (N, 2, H, W) of good and defect; H and W divisible by `multiple`."""

    def __init__(self, channels: int, width: int, stages: int, patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.multiple = patch * 2 ** (stages - 1)
        down = [width * min(2**level, 8) for level in range(stages)]
        up = [down[max(level - 1, 0)] for level in range(stages - 1)]
        self.encoder = nn.ModuleList(
            conv_pair(before, after) for before, after in zip([channels * patch**2, *down[:-1]], down, strict=True)
        )
        self.enlarge = nn.ModuleList(
            conv_norm(below, here) for below, here in zip([*up[1:], down[-1]], up, strict=True)
        )
        self.decoder = nn.ModuleList(conv_pair(skip + here, here) for skip, here in zip(down[:-1], up, strict=True))
        self.out = nn.Conv2d(up[0], 2 * patch**2, 3, padding=1)
        self.apply(start_for_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits in float32 (the last layer ignores autocast: bfloat16 would tie most scores)."""
        x = F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for level, stage in enumerate(self.encoder):
            x = stage(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.decoder))):
            x = self.enlarge[level](F.interpolate(x, scale_factor=2.0, mode="bilinear"))
            x = self.decoder[level](torch.cat([x, skips[level]], 1))
        with torch.autocast(x.device.type, enabled=False):
            return F.pixel_shuffle(self.out(x.float()), self.patch)


def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the mean over pixels of -(1 - p)^gamma log p, p the softmax of the true class (Lin et al. 2017, eq. 4).

    `logits` (N, 2, H, W), `target` (N, H, W) of 0 (good) and 1 (defect).
    """
    log_p = -F.cross_entropy(logits, target, reduction="none")
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


def defect_scores(logits: Tensor) -> Tensor:
    """Return the probability of a defect (N, H, W), the softmax of the two logits, as float32."""
    return torch.sigmoid(logits[:, 1].float() - logits[:, 0].float())


def image_score(scores: Tensor, pool: int) -> Tensor:
    """Return the largest mean score of any `pool` x `pool` window, per image (N,), for scores (N, H, W)."""
    pool = min(pool, *scores.shape[-2:])
    along_rows = F.avg_pool2d(scores[:, None], (1, pool), stride=1)  # one side after the other: a tenth of the time
    return F.avg_pool2d(along_rows, (pool, 1), stride=1).flatten(1).amax(1)


def pool_side(size_hw: tuple[int, int]) -> int:
    """Return the window side for the image score: 21 pixels, less in proportion below 256 pixels, always odd."""
    side = max(1, int(21 * min(1.0, min(size_hw) / 256)))
    return side if side % 2 else side - 1
