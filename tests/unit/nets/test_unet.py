"""The U-Net: how far its places see."""

import pytest
import torch
from torch import nn

from flawsmith.nets.blocks import ResidualBlock
from flawsmith.nets.unet import UNet


def reach(widths: tuple[int, ...], attention: bool) -> int:
    """Return the side of the square of inputs that the four middle outputs depend on, normalisation aside."""
    torch.manual_seed(0)
    net = UNet(1, 1, widths, 1, 16, patch=2, attention=attention)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in net.modules():
        if isinstance(module, ResidualBlock):
            module.norm_in = module.norm_out = nn.Identity()
    net.norm = nn.Identity()
    x = torch.randn(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    net.double()(x, torch.randn(1, 16, dtype=torch.float64))[..., 32:34, 32:34].sum().backward()
    rows = (x.grad[0, 0] != 0).any(1).nonzero()
    return int(rows.max() - rows.min()) + 1


@pytest.mark.parametrize(("widths", "attention", "side"), [((8,), False, 34), ((8,), True, 64), ((8, 8, 8), False, 64)])
def test_one_level_without_attention_sees_a_small_part(widths, attention, side):
    assert reach(widths, attention) == side
