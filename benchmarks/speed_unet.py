"""A training step of our U-Net against diffusers' UNet2DModel of equal size and depth, in turn, in one run.

Both get the same input (a 64 px crop after a 2x pixel unshuffle, so 32 px), the same number of levels and residual
blocks and widths chosen for an equal number of parameters; both in bf16 autocast and channels-last where the
processor has bf16. Row `unet_step_ratio`: seconds of ours over seconds of theirs (median of paired steps).

    python benchmarks/speed_unet.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from common import append, origin
from diffusers import UNet2DModel

from flawsmith.nets.unet import UNet

BATCH, SIDE, CHANNELS, ROUNDS = 16, 32, 12, 15


def ours() -> torch.nn.Module:
    return UNet(CHANNELS, CHANNELS, (48, 96, 192), 1, 192, patch=1)


def theirs(width: int) -> torch.nn.Module:
    return UNet2DModel(
        sample_size=SIDE, in_channels=CHANNELS, out_channels=CHANNELS, layers_per_block=1, norm_num_groups=8,
        block_out_channels=(width, 2 * width, 4 * width), attention_head_dim=32,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3,
    )  # fmt: skip


def size(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def stepper(net: torch.nn.Module, call: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]) -> Callable[[], float]:
    net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters())
    x = torch.randn(BATCH, CHANNELS, SIDE, SIDE).to(memory_format=torch.channels_last)

    def step() -> float:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = call(net, x).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - began

    return step


def main() -> None:
    mine = ours()
    width = min(range(16, 128, 8), key=lambda w: abs(size(theirs(w)) - size(mine)))
    peer = theirs(width)
    embedding = torch.randn(BATCH, 192)
    our_step = stepper(mine, lambda net, x: net(x, embedding))
    peer_step = stepper(peer, lambda net, x: net(x, torch.full((BATCH,), 10)).sample)
    pairs = [(our_step(), peer_step()) for _ in range(ROUNDS)][3:]
    row = {
        "name": "unet_step_ratio",
        "value": round(statistics.median(a / b for a, b in pairs), 4),
        "unit": "seconds of ours / seconds of peer",
        "ours": round(statistics.median(a for a, _ in pairs), 4),
        "peer": round(statistics.median(b for _, b in pairs), 4),
        "note": f"parameters ours {size(mine)}, peer {size(peer)} (widths {width}, {2 * width}, {4 * width})",
        **origin("diffusers"),
    }
    append("speed.jsonl", [row])


if __name__ == "__main__":
    main()
