"""What unit tests of networks on crops share: a spot, a batch around it, weights that say something, a small world."""

from typing import TypeVar

import torch
from torch import nn

from flawsmith.core.records import Catalog
from flawsmith.data.demo import DemoSettings, write_demo

Net = TypeVar("Net", bound=nn.Module)


def shaken(net: Net) -> Net:
    """Return a network whose every weight is drawn at random, those that start at nothing too."""
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    return net


def spot(top: int = 10, left: int = 12, side: int = 32) -> torch.Tensor:
    """Return a mask (1, 1, S, S) of 6 x 8 pixels."""
    mask = torch.zeros(1, 1, side, side)
    mask[..., top : top + 6, left : left + 8] = 1
    return mask


def batch() -> dict[str, torch.Tensor]:
    """Return three crops with the spot, which is asked for as well."""
    torch.manual_seed(0)
    return {
        "image": torch.randn(3, 1, 32, 32),
        "mask": spot().repeat(3, 1, 1, 1),
        "asked": spot().repeat(3, 1, 1, 1),
        "label": torch.zeros(3, dtype=torch.long),
        "scale": torch.zeros(3),
        "around": torch.full((3, 1), -0.7),
    }


def small_world(folder) -> Catalog:
    """Write the smallest demo set whose classes all have a defect."""
    tiny = {"size_hw": (64, 64), "good": 3, "per_class": 1, "most_shots": 1, "faint_share": 0.0}
    return write_demo(folder, DemoSettings(**tiny))
