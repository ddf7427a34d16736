"""Cross-attention, its low-rank additions, and the U-Net that looks at tokens."""

import pytest
import torch
from torch.nn import functional as F

from flawsmith.nets.attention import Context, CrossAttention, LowRankLinear, emphasised
from flawsmith.nets.unet import UNet


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


@pytest.mark.parametrize("rank", [0, 2])
def test_a_new_block_is_the_identity(rank):
    x, tokens = torch.randn(2, 32, 4, 6), torch.randn(2, 5, 12)
    assert torch.equal(CrossAttention(32, 12, rank)(x, Context(tokens)), x)


@pytest.mark.parametrize("channels", [16, 64])
def test_without_emphasis_it_is_scaled_dot_product_attention(channels):
    block = randomised(CrossAttention(channels, 12))
    x, tokens = torch.randn(2, channels, 4, 6), torch.randn(2, 5, 12)
    places, seen = block.norm(x).flatten(2).transpose(1, 2), block.token_norm(tokens)

    def heads(value):
        return value.reshape(2, -1, block.heads, channels // block.heads).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(heads(block.query(places)), heads(block.key(seen)), heads(block.value(seen)))
    change = block.out(mixed.transpose(1, 2).reshape(2, -1, channels)).transpose(1, 2).reshape(x.shape)
    assert torch.allclose(block(x, Context(tokens)), x + change, atol=1e-5)


def test_emphasis_multiplies_the_logits_of_all_tokens_but_the_plain_ones():
    logits = torch.randn(2, 3, 16, 5)
    emphasis = torch.ones(2, 1, 4, 4)
    emphasis[1, 0, 2, 3] = 1.5
    found = emphasised(logits, Context(torch.zeros(2, 5, 1), 1, emphasis), (4, 4))
    wanted = logits.clone()
    wanted[1, :, 2 * 4 + 3, 1:] *= 1.5
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_emphasis_of_any_size_fits_any_picture(size):
    block = randomised(CrossAttention(16, 12))
    x, tokens = torch.randn(1, 16, 4, 4), torch.randn(1, 3, 12)
    plain = block(x, Context(tokens, 1))
    assert torch.allclose(block(x, Context(tokens, 1, torch.ones(1, 1, size, size))), plain, atol=1e-6)
    assert not torch.allclose(block(x, Context(tokens, 1, 1.5 * torch.ones(1, 1, size, size))), plain, atol=1e-4)


def test_a_low_rank_addition_starts_at_nothing_and_has_its_rank():
    layer = LowRankLinear(torch.nn.Linear(12, 8), 2)
    x = torch.randn(5, 12)
    assert torch.equal(layer(x), layer.whole(x))
    torch.nn.init.normal_(layer.widen.weight)
    added = layer(torch.eye(12)) - layer.whole(torch.eye(12))
    assert torch.linalg.matrix_rank(added, atol=1e-4) == 2
    assert sum(parameter.numel() for parameter in layer.addition) == 2 * (12 + 8)


def test_a_unet_looks_at_tokens_at_every_level():
    net = randomised(UNet(1, 1, (16, 32), 1, 8, patch=2, tokens=12))
    x, embedding, tokens = torch.randn(2, 1, 16, 16), torch.randn(2, 8), torch.randn(2, 3, 12)
    told = net(x, embedding, Context(tokens))
    assert told.shape == x.shape
    other = net(x, embedding, Context(torch.cat([torch.randn(1, 3, 12), tokens[1:]])))
    assert not torch.allclose(told[0], other[0], atol=1e-3)
    assert torch.allclose(told[1], other[1], atol=1e-5)
    assert len(net.down_look) == len(net.up_look) == 2


def test_a_unet_without_tokens_has_no_such_weights():
    assert not [name for name in UNet(1, 1, (16, 32), 1, 8).state_dict() if "look" in name]
