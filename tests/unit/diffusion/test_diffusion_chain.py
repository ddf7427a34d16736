"""Networks that count noise in steps, as denoisers of any level."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import SettingsError
from flawsmith.diffusion.chain import Chain, fixed_batches
from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise

PREDICTIONS = ("epsilon", "v_prediction", "sample")


def linear(steps: int, prediction="epsilon", clip=None) -> Chain:
    return Chain.of_betas(torch.linspace(1e-4, 0.02, steps), prediction, clip)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("step", [0, 37, 999])
def test_what_is_to_be_predicted_gives_the_clean_picture_back(prediction, step):
    chain, clean = linear(1000, prediction), noise(2, 1, 4, 4).clamp(-1, 1)
    steps = torch.tensor([step, step])
    fresh = noise(2, 1, 4, 4, seed=1)
    told = []

    def perfect(x, at):
        told.append((x, at))
        return chain.target(clean, fresh, steps)

    sigma = chain.levels_T[steps].float()
    found = chain.denoiser(perfect)(clean + sigma[:, None, None, None] * fresh, sigma)
    assert torch.allclose(found, clean, atol=1e-4)
    seen, at = told[0]
    assert torch.equal(at, steps)
    assert torch.allclose(seen, chain.noised(clean, fresh, steps), atol=1e-5)


def test_noisy_pictures_keep_unit_variance():
    chain, clean = linear(1000), noise(3, 1, 200, 200)
    noisy = chain.noised(clean, noise(3, 1, 200, 200, seed=1), torch.tensor([0, 500, 999]))
    assert torch.allclose(noisy.std((1, 2, 3)), torch.ones(3), atol=0.02)


def test_estimates_are_clipped():
    chain = linear(10, "sample", clip=0.5)
    found = chain.denoiser(lambda x, at: torch.full_like(x, 3.0))(noise(1, 1, 2, 2), torch.tensor([0.3]))
    assert torch.equal(found, torch.full((1, 1, 2, 2), 0.5))


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(3, 3000), data=st.data())
def test_every_level_belongs_to_its_step(steps, data):
    chain = linear(steps)
    step = data.draw(st.integers(0, steps - 1))
    assert chain.steps_at(chain.levels_T[[step]].float()).tolist() == [step]


@settings(max_examples=50, deadline=None)
@given(steps=st.integers(3, 2000), count=st.integers(1, 200), share=st.floats(0.05, 1.0))
def test_levels_to_sample_at_fall_from_the_highest_allowed_to_nothing(steps, count, share):
    chain = linear(steps)
    most = float(chain.levels_T[1]) + share * float(chain.levels_T[-1] - chain.levels_T[1])
    sigmas = chain.sigmas(count, most)
    assert (sigmas.diff() < 0).all()
    assert sigmas[-1] == 0
    assert 2 <= len(sigmas) <= count + 1
    assert sigmas[0] == chain.levels_T[chain.levels_T <= most].max()
    assert torch.isin(sigmas[:-1], chain.levels_T).all()


def test_as_many_levels_as_there_are_steps_are_all_of_them():
    chain = linear(60)
    assert torch.equal(chain.sigmas(60), torch.cat([chain.levels_T.flip(0), torch.zeros(1)]))
    assert torch.equal(chain.sigmas(5000), chain.sigmas(60))


def test_the_long_chain_of_the_glass_paper_has_a_level_after_every_step():
    """In float32 its signal is 0 after 12,000 of the 14,000 steps, and what follows from that is no number."""
    betas = torch.linspace(1e-4, 0.02, 14_000)
    assert (torch.cumprod(1 - betas, 0) == 0).sum() > 2000
    chain = Chain.of_betas(betas)
    assert chain.levels_T.isfinite().all()
    assert (chain.levels_T.diff() > 0).all()
    assert 3000 < len(chain.sigmas(14_000, 80.0)) < 4000
    x = chain.start(noise(1, 1, 2, 2), chain.sigmas(14_000))
    clean = chain.denoiser(lambda x, at: torch.zeros_like(x))(x, torch.tensor([float(chain.levels_T[-1])]))
    assert clean.isfinite().all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_sampler_finds_the_only_picture_there_is(sampler, prediction):
    chain, clean = linear(200, prediction), torch.full((2, 1, 4, 4), 0.3)

    def network(x, at):
        signal = chain.kept_T[at].sqrt().reshape(-1, 1, 1, 1).float()
        fresh = (x - signal * clean) / (1 - signal**2).sqrt()
        return chain.target(clean, fresh, at)

    sigmas = chain.sigmas(12)
    fresh = per_image_noise([1, 2], (1, 4, 4), torch.device("cpu"))
    found = SAMPLERS[sampler](chain.denoiser(network), chain.start(fresh(), sigmas), sigmas, noise=fresh)
    assert torch.allclose(found, clean, atol=1e-3)


def test_sampling_begins_with_noise_of_unit_variance():
    chain, fresh = linear(50), noise(1, 1, 3, 3)
    sigmas = chain.sigmas(50)
    assert torch.allclose(chain.start(fresh, sigmas) / math.sqrt(1 + float(sigmas[0]) ** 2), fresh)


def test_impossible_chains_and_levels_are_refused():
    with pytest.raises(SettingsError, match="keeps float64 shares"):
        Chain(torch.tensor([0.5, 0.9], dtype=torch.float64))
    with pytest.raises(SettingsError, match="keeps float64 shares"):
        Chain(torch.tensor([0.9, 0.5]))
    with pytest.raises(SettingsError, match="expected at least one step"):
        linear(10).sigmas(0)
    with pytest.raises(SettingsError, match="a higher level"):
        linear(10).sigmas(5, 1e-6)


def test_networks_are_always_given_as_many_images():
    sizes = []

    def network(x, at):
        sizes.append(len(x))
        return x * at.reshape(-1, 1, 1, 1)

    x, at = noise(5, 1, 2, 2), torch.arange(5)
    assert torch.equal(fixed_batches(network, 3)(x, at), x * at.reshape(-1, 1, 1, 1))
    assert torch.equal(fixed_batches(network, 8)(x, at), x * at.reshape(-1, 1, 1, 1))
    assert sizes == [3, 3, 8]
