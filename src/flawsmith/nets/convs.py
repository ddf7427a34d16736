"""Plain convolution blocks: convolution, batch norm, ReLU."""

from __future__ import annotations

from torch import nn


def conv_norm(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return one 3 x 3 convolution with batch norm and ReLU; the size stays."""
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def conv_pair(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return two of them in a row."""
    return nn.Sequential(*conv_norm(channels_in, channels_out), *conv_norm(channels_out, channels_out))


def start_for_relu(module: nn.Module) -> None:
    """Give a convolution the random start that suits ReLU (He et al. 2015), its bias zero; leave anything else."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
