"""Inception v3 (Szegedy et al. 2016), in the layout of the weights of torchvision and of pytorch-fid.

Keys: `Conv2d_1a_3x3.conv.weight`, `Conv2d_1a_3x3.bn.{weight,bias,running_mean,running_var}`, ...,
`Mixed_5b.branch1x1.conv.weight`, ..., `fc.weight`, `fc.bias`; `AuxLogits.*` is not used. The file's classes tell its
kin: 1008 are the weights that FID was defined with (Heusel et al. 2017), whose graph pools a little differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.features.seen import Seen

SIDE = 299
"""Side of the pictures that the weights were learnt with."""
FID_CLASSES = 1008
UNUSED = ("AuxLogits.",)


class Unit(NamedTuple):
    """One convolution with its normalisation, by its name in the weights: channels, kernel (height, width), stride."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


class Branch(NamedTuple):
    """One way through a block: a pooling (average, maximum, halve or none), units in a row, then units side by side."""

    chain: tuple[Unit, ...]
    ends: tuple[Unit, ...] = ()
    pool: str = "none"


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, ReLU; units that do not stride keep the size."""

    def __init__(self, channels_in: int, unit: Unit, keep_size: bool = True) -> None:
        super().__init__()
        keep_size = keep_size and unit.stride == 1
        padding = (unit.kernel[0] // 2, unit.kernel[1] // 2) if keep_size else 0
        self.conv = nn.Conv2d(channels_in, unit.channels, unit.kernel, unit.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(unit.channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Run the unit."""
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """A block: its branches' outputs one after another along the channels."""

    def __init__(self, channels_in: int, branches: Sequence[Branch], count_padding: bool) -> None:
        super().__init__()
        self.branches, self.count_padding, self.channels = branches, count_padding, 0
        for branch in branches:
            channels = channels_in
            for unit in branch.chain:
                self.add_module(unit.name, ConvUnit(channels, unit))
                channels = unit.channels
            for unit in branch.ends:
                self.add_module(unit.name, ConvUnit(channels, unit))
            self.channels += sum(unit.channels for unit in branch.ends) or channels

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        return torch.cat([part for branch in self.branches for part in self._along(branch, x)], 1)

    def _along(self, branch: Branch, x: Tensor) -> list[Tensor]:
        x = _pooled(x, branch.pool, self.count_padding)
        for unit in branch.chain:
            x = self.get_submodule(unit.name)(x)
        return [self.get_submodule(unit.name)(x) for unit in branch.ends] or [x]


class Inception3(nn.Module):
    """Map RGB pictures (N, 3, H, W) in [-1, 1], at least 75 pixels a side, to the features that FID takes (N, 2048),
    logits, and the maps before each halving.

    With 1008 classes the logits leave out the bias, as the Inception score's own code does (Salimans et al. 2016).
    """

    def __init__(self, classes: int = FID_CLASSES) -> None:
        super().__init__()
        self.for_fid = classes == FID_CLASSES
        stem = [("Conv2d_1a_3x3", 32, 3, 2), ("Conv2d_2a_3x3", 32, 3, 1), ("Conv2d_2b_3x3", 64, 3, 1)]
        stem += [("Conv2d_3b_1x1", 80, 1, 1), ("Conv2d_4a_3x3", 192, 3, 1)]
        channels = 3
        for name, width, side, stride in stem:
            unit = ConvUnit(channels, Unit(name, width, (side, side), stride), keep_size=name == "Conv2d_2b_3x3")
            self.add_module(name, unit)
            channels = width
        for name, branches in _blocks(self.for_fid).items():
            block = Mixed(channels, branches, count_padding=not self.for_fid)
            self.add_module(name, block)
            channels = block.channels
        self.fc = nn.Linear(channels, classes)

    def forward(self, x_NCHW: Tensor) -> Seen:
        """Run the network."""
        x, maps = x_NCHW, []
        for name, module in self.named_children():
            if name in ("Conv2d_3b_1x1", "Mixed_5b"):
                x = F.max_pool2d(x, 3, 2)
            if name in ("Mixed_5b", "Mixed_6a", "Mixed_7a"):
                maps.append(x)
            if name != "fc":
                x = module(x)
        features = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits = F.linear(features, self.fc.weight) if self.for_fid else self.fc(features)
        return Seen(features, logits, (*maps, x))


def _pooled(x: Tensor, pool: str, count_padding: bool) -> Tensor:
    if pool == "average":
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=count_padding)
    if pool == "maximum":
        return F.max_pool2d(x, 3, 1, 1)
    return F.max_pool2d(x, 3, 2) if pool == "halve" else x


def _blocks(for_fid: bool) -> dict[str, list[Branch]]:
    """Return the blocks in order. The graph that FID was defined with ends in a maximum where others average."""
    blocks = {f"Mixed_5{letter}": _fine(channels) for letter, channels in (("b", 32), ("c", 64), ("d", 64))}
    blocks["Mixed_6a"] = _first_halving()
    blocks |= {f"Mixed_6{letter}": _middle(width) for letter, width in zip("bcde", (128, 160, 160, 192), strict=True)}
    blocks["Mixed_7a"] = _second_halving()
    return blocks | {"Mixed_7b": _coarse("average"), "Mixed_7c": _coarse("maximum" if for_fid else "average")}


def _row(name: str, *units: tuple[int, tuple[int, int]], stride: int = 1) -> tuple[Unit, ...]:
    """Return units name_1, name_2, ... of (channels, kernel), the last of them with a stride."""
    last = len(units)
    return tuple(
        Unit(f"{name}_{number}", channels, kernel, stride if number == last else 1)
        for number, (channels, kernel) in enumerate(units, 1)
    )


ONE, THREE, FIVE, FLAT, TALL = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def _fine(pooled: int) -> list[Branch]:
    return [
        Branch((Unit("branch1x1", 64),)),
        Branch(_row("branch5x5", (48, ONE), (64, FIVE))),
        Branch(_row("branch3x3dbl", (64, ONE), (96, THREE), (96, THREE))),
        Branch((Unit("branch_pool", pooled),), pool="average"),
    ]


def _first_halving() -> list[Branch]:
    return [
        Branch((Unit("branch3x3", 384, THREE, 2),)),
        Branch(_row("branch3x3dbl", (64, ONE), (96, THREE), (96, THREE), stride=2)),
        Branch((), pool="halve"),
    ]


def _middle(width: int) -> list[Branch]:
    twice = ((width, ONE), (width, TALL), (width, FLAT), (width, TALL), (192, FLAT))
    return [
        Branch((Unit("branch1x1", 192),)),
        Branch(_row("branch7x7", (width, ONE), (width, FLAT), (192, TALL))),
        Branch(_row("branch7x7dbl", *twice)),
        Branch((Unit("branch_pool", 192),), pool="average"),
    ]


def _second_halving() -> list[Branch]:
    return [
        Branch(_row("branch3x3", (192, ONE), (320, THREE), stride=2)),
        Branch(_row("branch7x7x3", (192, ONE), (192, FLAT), (192, TALL), (192, THREE), stride=2)),
        Branch((), pool="halve"),
    ]


def _coarse(pool: str) -> list[Branch]:
    single = (Unit("branch3x3_2a", 384, (1, 3)), Unit("branch3x3_2b", 384, (3, 1)))
    double = (Unit("branch3x3dbl_3a", 384, (1, 3)), Unit("branch3x3dbl_3b", 384, (3, 1)))
    return [
        Branch((Unit("branch1x1", 320),)),
        Branch(_row("branch3x3", (384, ONE)), ends=single),
        Branch(_row("branch3x3dbl", (448, ONE), (384, THREE)), ends=double),
        Branch((Unit("branch_pool", 192),), pool=pool),
    ]
