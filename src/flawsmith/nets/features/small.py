"""A small convolutional network that tells the classes of one product: what an in-domain feature net is made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.features.seen import Seen


class SmallNet(nn.Module):
    """Map pictures (N, channels, S, S) to features of the last width, logits of `classes`, and one map per stage.

    The first stage works at half the pictures' side, each later one at half of the one before.
    """

    def __init__(self, channels: int, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        entering = (channels, *widths[:-1])
        self.stages = nn.ModuleList(_stage(before, width) for before, width in zip(entering, widths, strict=True))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x_NCHW: Tensor) -> Seen:
        """Run the network."""
        maps: list[Tensor] = []
        for stage in self.stages:
            maps.append(stage(maps[-1] if maps else x_NCHW))
        features = F.adaptive_avg_pool2d(maps[-1], 1).flatten(1)
        return Seen(features, self.head(features), tuple(maps))


def _stage(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(*_unit(channels_in, channels_out, stride=2), *_unit(channels_out, channels_out, stride=1))


def _unit(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU())
