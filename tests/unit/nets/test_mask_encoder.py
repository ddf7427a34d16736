"""The encoder that reads tokens off a mask."""

import pytest
import torch

from flawsmith.nets.mask_encoder import MaskEncoder


def square(side: int, top: int, left: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., top : top + side // 4, left : left + side // 4] = 1
    return mask


@pytest.mark.parametrize("side", [16, 32, 40, 64])
@pytest.mark.parametrize("count", [1, 4])
def test_a_mask_becomes_so_many_tokens(side, count):
    assert MaskEncoder(side, count, 24, width=8)(square(side, 0, 0)).shape == (1, count, 24)


def test_every_token_knows_where_the_mask_is():
    torch.manual_seed(0)
    encoder = MaskEncoder(32, 3, 24, width=8)
    here, there = encoder(square(32, 2, 2)), encoder(square(32, 20, 18))
    assert ((here - there).abs().amax(-1) > 1e-5).all()


def test_masks_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    encoder = MaskEncoder(32, 3, 24, width=8)
    masks = torch.cat([square(32, 2, 2), square(32, 20, 18)])
    assert torch.allclose(encoder(masks)[1:], encoder(masks[1:]), atol=1e-6)
