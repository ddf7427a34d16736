"""Exchange between pictures: what passes between them, and only at one place."""

import torch
from torch.nn import functional as F

from flawsmith.nets.exchange import Compensation, Interrelation
from flawsmith.nets.unet import UNet


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def test_new_blocks_are_the_identity():
    x = torch.randn(2, 3, 8, 4, 4)
    assert torch.equal(Interrelation(8)(x), x)
    assert torch.equal(Compensation(8)(x[0], x[1]), x[0])


def test_interrelation_is_attention_over_the_pictures_tokens_at_one_place():
    block, x = randomised(Interrelation(8)), torch.randn(2, 3, 8, 4, 4)
    tokens = block.qkv(block.enter(block.norm(x.flatten(0, 1)))).reshape(2, 3, 24, 4, 4)
    query, key, value = tokens.permute(1, 3, 4, 0, 2).chunk(3, -1)  # (N, H, W, F, C)
    mixed = F.scaled_dot_product_attention(query, key, value).permute(3, 0, 4, 1, 2)
    expected = x + block.out(mixed.flatten(0, 1)).reshape(x.shape)
    assert torch.allclose(block(x), expected, atol=1e-5)


def test_nothing_passes_between_samples_or_places():
    block = randomised(Interrelation(8))
    block.norm = torch.nn.Identity()  # which looks at all places
    x = torch.randn(2, 3, 8, 4, 4)
    other = x.clone()
    other[1, 2, :, 1, 3] += 1
    moved = (block(x) - block(other)).abs().sum(2) > 1e-6
    assert moved.nonzero().tolist() == [[0, 2, 1, 3], [1, 2, 1, 3]]


def test_compensation_reads_the_background_at_the_same_place():
    block = randomised(Compensation(8))
    picture, background = torch.randn(2, 2, 8, 4, 4)
    other = background.clone()
    other[1, :, 2, 0] += 1
    moved = (block(picture, background) - block(picture, other)).abs().sum(1) > 1e-6
    assert moved.nonzero().tolist() == [[1, 2, 0]]


def test_a_unet_calls_between_once_per_level_each_way_in_order():
    net, seen = UNet(1, 1, (8, 16), 1, 16), []

    def between(place: int, x: torch.Tensor) -> torch.Tensor:
        seen.append((place, *x.shape[1:]))
        return x

    x, embedding = torch.randn(2, 1, 16, 16), torch.randn(2, 16)
    torch.nn.init.normal_(net.leave.weight)
    assert torch.equal(net(x, embedding, between=between), net(x, embedding))
    assert seen == [(0, 8, 8, 8), (1, 16, 4, 4), (2, 16, 4, 4), (3, 8, 8, 8)]
    assert not torch.equal(net(x, embedding, between=lambda place, x: x + (place == 3)), net(x, embedding))
