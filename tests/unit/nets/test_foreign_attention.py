"""Additions to a U-Net of diffusers: without effect they change nothing, with effect only what they are for."""

from functools import partial

import pytest
import torch

from flawsmith.core.errors import DataError
from flawsmith.nets.attention import LowRankLinear
from flawsmith.nets.foreign_attention import CROSS, SELF, add_to_attention, take_emphasis
from flawsmith.nets.pipeline import open_pipeline
from toy_pipeline import WIDTH, write_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("pipeline"))


def told(unet, tokens, emphasis=None):
    torch.manual_seed(3)
    extra = None if emphasis is None else {"emphasis": emphasis}
    with torch.no_grad():
        return unet(torch.randn(2, 4, 8, 8), 500, tokens, cross_attention_kwargs=extra, return_dict=False)[0]


def test_emphasis_of_one_is_diffusers_own_attention_and_more_is_not(folder):
    tokens = torch.randn(2, 5, WIDTH)
    unet = open_pipeline(folder).unet
    plain = told(unet, tokens)
    take_emphasis(unet)
    assert torch.equal(told(unet, tokens), plain)
    assert torch.allclose(told(unet, tokens, torch.ones(2, 1, 8, 8)), plain, atol=1e-5)
    one_louder = torch.ones(2, 1, 8, 8)
    one_louder[1] = 1.5
    louder = told(unet, tokens, one_louder)
    assert torch.allclose(louder[0], plain[0], atol=1e-5)
    assert not torch.allclose(louder[1], plain[1], atol=1e-4)


def test_the_first_token_is_emphasised_by_nobody(folder):
    unet = open_pipeline(folder).unet
    take_emphasis(unet)
    alone = torch.randn(2, 1, WIDTH)
    assert torch.allclose(told(unet, alone, 1.5 * torch.ones(2, 1, 8, 8)), told(unet, alone), atol=1e-5)


def test_additions_start_at_nothing_and_sit_where_they_are_wished(folder):
    tokens = torch.randn(2, 5, WIDTH)
    unet = open_pipeline(folder).unet
    plain, blocks = told(unet, tokens), sum(name.endswith(CROSS) for name, _ in unet.named_modules())
    added = add_to_attention(unet, (CROSS,), partial(LowRankLinear, rank=2))
    assert len(added) == 4 * blocks > 0
    assert torch.equal(told(unet, tokens), plain)
    assert [name for name, each in unet.named_parameters() if each.requires_grad and SELF in name] == []
    assert sum(each.requires_grad for each in unet.parameters()) == 2 * len(added)
    torch.nn.init.normal_(added[0].widen.weight)
    assert not torch.allclose(told(unet, tokens), plain, atol=1e-4)


def test_a_network_without_cross_attention_is_refused(tmp_path):
    types = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2, "mid_block_type": None}
    unet = open_pipeline(write_pipeline(tmp_path, **types)).unet
    with pytest.raises(DataError, match="expected cross-attention"):
        take_emphasis(unet)
