"""The VQ-VAE: shapes, the nearest codes, gradients straight through them, and a codebook that is used."""

import pytest
import torch

from flawsmith.nets.codebook import Codebook, nearest_codes, perplexity
from flawsmith.nets.unet import UNet
from flawsmith.nets.vqvae import VqVae, VqVaeSettings

TINY = VqVaeSettings(widths=(8, 16, 16), channels=3, codes=16)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_format_come_back_at_their_size(channels):
    net, x = VqVae(channels, TINY), torch.rand(2, channels, 16, 24)
    made = net(x)
    assert TINY.reduction == 4
    assert made.pictures.shape == x.shape
    assert made.vectors.shape == made.quantised.entries.shape == (2, 3, 4, 6)
    assert made.quantised.numbers.shape == (2, 4, 6)
    assert torch.equal(net.decode(net.encode(x)), made.pictures)
    maps, vectors = net.maps(x)
    assert [tuple(each.shape[2:]) for each in maps] == [(16, 24), (8, 12), (4, 6)]
    assert torch.equal(vectors, made.vectors)


def test_every_vector_is_replaced_by_its_nearest_code():
    x, codes = torch.randn(2, 3, 4, 5), torch.randn(7, 3)
    apart = torch.cdist(x.permute(0, 2, 3, 1).reshape(-1, 3), codes)
    assert torch.equal(nearest_codes(x, codes).flatten(), apart.argmin(1))
    book = Codebook(7, 3)
    book.codes.copy_(codes)
    found = book(x)
    assert torch.allclose(found.entries.permute(0, 2, 3, 1).reshape(-1, 3), codes[apart.argmin(1)], atol=1e-6)
    assert found.commitment.item() == pytest.approx((apart.min(1).values ** 2).mean().item() / 3, rel=1e-4)


def test_gradients_pass_straight_through_and_commitment_pulls_to_the_code():
    book, x, weight = Codebook(7, 3), torch.randn(1, 3, 4, 4, requires_grad=True), torch.randn(1, 3, 4, 4)
    found = book(x)
    (straight,) = torch.autograd.grad((found.entries * weight).sum(), x, retain_graph=True)
    assert torch.equal(straight, weight)
    (pull,) = torch.autograd.grad(found.commitment, x)
    assert torch.allclose(pull, 2 * (x - found.entries).detach() / x.numel(), atol=1e-7)
    assert not list(book.parameters())


def clustered(rng: torch.Generator, centres: torch.Tensor) -> torch.Tensor:
    rows = centres[torch.arange(len(centres)).repeat(16)]
    return (rows + 0.01 * torch.randn(rows.shape, generator=rng)).T.reshape(1, centres.shape[1], 16, -1)


def test_codes_find_where_vectors_are_and_none_stays_dead():
    rng = torch.Generator().manual_seed(0)
    centres = 100 + 10 * torch.randn(8, 2, generator=rng)
    book = Codebook(8, 2, decay=0.8)
    for _ in range(200):
        x = clustered(rng, centres)
        book.follow(x, book(x).numbers, rng)
    numbers = book(clustered(rng, centres)).numbers
    apart = torch.cdist(centres, book.codes).min(1).values
    assert perplexity(numbers, 8) > 6
    assert (apart < 0.1).sum() >= 6
    assert torch.isfinite(book.codes).all()


def test_without_new_beginnings_one_code_would_take_all():
    """The start lies far from every vector: only the code nearest to all of them would ever move."""
    rng = torch.Generator().manual_seed(0)
    centres = 100 + 10 * torch.randn(8, 2, generator=rng)
    x = clustered(rng, centres)
    assert perplexity(Codebook(8, 2)(x).numbers, 8) < 3


def test_following_depends_on_the_generator_alone():
    x, books = torch.randn(1, 2, 8, 8), []
    for _ in range(2):
        torch.manual_seed(1)
        book = Codebook(8, 2)
        torch.rand(len(books) + 1)  # what others have drawn does not matter
        book.follow(x, book(x).numbers, torch.Generator().manual_seed(3))
        books.append(book.codes.clone())
    assert torch.equal(*books)


def test_an_average_moves_by_the_share_that_is_not_kept():
    book = Codebook(1, 1, decay=0.75)
    book.codes.fill_(2.0)
    book.uses.fill_(4.0)
    book.sums.fill_(8.0)
    x = torch.full((1, 1, 2, 2), 6.0)
    book.follow(x, book(x).numbers, torch.Generator().manual_seed(0))
    assert book.codes.item() == pytest.approx(0.75 * 2 + 0.25 * 6)


def test_the_middle_of_a_unet_is_told_something_of_its_own():
    torch.manual_seed(0)
    net = UNet(2, 2, (8, 16), 1, 12, patch=1)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x, embedding, amid = torch.randn(2, 2, 8, 8), torch.randn(2, 12), torch.randn(2, 12)
    plain = net(x, embedding)
    assert torch.equal(net(x, embedding, amid=torch.zeros(2, 12)), plain)
    told = net(x, embedding, amid=amid)
    assert (told - plain).abs().max() > 1e-3
    assert not torch.allclose(told, net(x, embedding + amid))
