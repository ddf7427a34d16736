"""Samplers against a Gaussian mixture, whose exact denoiser (the posterior mean) is known in closed form."""

import math
from itertools import pairwise

import pytest
import torch

from flawsmith.core.errors import SettingsError
from flawsmith.diffusion.preconditioning import in_units
from flawsmith.diffusion.samplers import SAMPLERS, dpmpp_2m, euler, euler_ancestral, heun, per_image_noise
from flawsmith.diffusion.schedules import exponential_sigmas, karras_sigmas, linear_beta_sigmas

SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)
MEANS = torch.tensor([[-1.0, 0.5], [0.8, -0.2]], dtype=torch.float64)
COVARIANCES = torch.tensor([[[0.09, 0.03], [0.03, 0.04]], [[0.05, -0.02], [-0.02, 0.08]]], dtype=torch.float64)
TRUE_MEAN = SHARES @ MEANS
TRUE_COVARIANCE = (SHARES[:, None, None] * (COVARIANCES + MEANS[:, :, None] * MEANS[:, None, :])).sum(0) - TRUE_MEAN[
    :, None
] * TRUE_MEAN


def exact(x_NCHW, sigma_N):
    """E[clean | x] for the mixture; the two channels are its two dimensions."""
    assert sigma_N.shape == (len(x_NCHW),)
    x = x_NCHW[..., 0, 0].double()
    spread = COVARIANCES[None] + sigma_N.double()[:, None, None, None] ** 2 * torch.eye(2, dtype=torch.float64)
    away = x[:, None] - MEANS
    pull = torch.linalg.solve(spread, away[..., None])[..., 0]
    logs = SHARES.log() - 0.5 * (away * pull).sum(-1) - 0.5 * torch.logdet(spread)
    likely = torch.softmax(logs, 1)
    posterior = MEANS + (COVARIANCES @ pull[..., None])[..., 0]
    return (likely[..., None] * posterior).sum(1)[..., None, None].to(x_NCHW.dtype)


def starts(count, sigma):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(count, 2, 1, 1, generator=rng, dtype=torch.float64) * sigma


def noise_like(x):
    rng = torch.Generator().manual_seed(1)
    return lambda: torch.randn(x.shape, generator=rng, dtype=x.dtype)


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_every_sampler_hits_mean_and_covariance(name):
    x = starts(20_000, 40.0)
    done = SAMPLERS[name](exact, x, karras_sigmas(100, 0.005, 40.0), noise=noise_like(x))[..., 0, 0]
    error = (TRUE_COVARIANCE.diagonal() / len(done)).sqrt()
    assert ((done.mean(0) - TRUE_MEAN).abs() < 5 * error + 0.01).all()
    assert torch.allclose(torch.cov(done.T), TRUE_COVARIANCE, rtol=0.05, atol=0.01)
    share = (done[:, 0] < 0).double().mean().item()
    assert share == pytest.approx(0.3, abs=0.02)


def errors(sampler, schedule, counts):
    x = starts(200, 10.0)
    truth = heun(exact, x, schedule(1500))
    # the median: a few points near the border between the modes change sides, whatever the order
    return [(sampler(exact, x, schedule(count)) - truth).flatten(1).norm(dim=1).median().item() for count in counts]


def ending_above_zero(steps):
    """Levels that stop at 0.05: the order of a method shows between positive levels."""
    return karras_sigmas(steps + 1, 0.05, 10.0)[:-1]


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2), (dpmpp_2m, 2)])
def test_error_order(sampler, order):
    counts = [40, 80, 160]
    found = errors(sampler, ending_above_zero, counts)
    for coarse, fine in pairwise(found):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


def test_two_step_solver_beats_euler_at_ten_steps():
    def schedule(steps):
        return karras_sigmas(steps, 0.01, 10.0)

    assert errors(dpmpp_2m, schedule, [10])[0] < errors(euler, schedule, [10])[0]


def test_network_calls():
    calls = []

    def count(x, sigma):
        calls.append(float(sigma[0]))
        return exact(x, sigma)

    sigmas = karras_sigmas(6, 0.1, 5.0)
    for sampler, expected in ((heun, 11), (dpmpp_2m, 6), (euler, 6), (euler_ancestral, 6)):
        calls.clear()
        x = starts(2, 5.0)
        sampler(count, x, sigmas, noise=noise_like(x))
        assert len(calls) == expected
        assert min(calls) > 0


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_batch_composition_never_changes_a_picture(name):
    device, shape = torch.device("cpu"), (2, 1, 1)

    def pictures(seeds):
        noise = per_image_noise(seeds, shape, device)
        return SAMPLERS[name](exact, noise() * 10, karras_sigmas(12, 0.01, 10.0), noise=noise)

    together = pictures([5, 6, 7, 8])
    turned = pictures([8, 5, 7])
    assert torch.equal(together[[3, 0, 2]], turned)
    assert torch.equal(pictures([6])[0], together[1])
    assert not torch.equal(together[0], together[1])


def test_callback_sees_every_step():
    seen = []
    done = heun(exact, starts(2, 5.0), karras_sigmas(4, 0.1, 5.0), callback=lambda step, x: seen.append((step, x)))
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    assert torch.equal(seen[-1][1], done)


def test_what_samplers_refuse():
    x = starts(1, 5.0)
    with pytest.raises(SettingsError, match="give it noise"):
        euler_ancestral(exact, x, karras_sigmas(4, 0.1, 5.0))
    for bad in ([1.0], [1.0, 2.0, 0.0], [2.0, -1.0], [2.0, 2.0, 0.0]):
        with pytest.raises(SettingsError, match="must fall"):
            euler(exact, x, torch.tensor(bad))


def test_schedules_fall_from_top_to_zero():
    for sigmas in (karras_sigmas(9, 0.01, 20), exponential_sigmas(9, 0.01, 20), linear_beta_sigmas(9)):
        assert sigmas.shape == (10,)
        assert (sigmas.diff() < 0).all()
        assert sigmas[-1] == 0
    for made in (karras_sigmas, exponential_sigmas):
        sigmas = made(9, 0.01, 20.0)
        assert (sigmas[0].item(), sigmas[-2].item()) == (pytest.approx(20), pytest.approx(0.01))
    assert karras_sigmas(1, 0.1, 3.0).tolist() == pytest.approx([3.0, 0.0])
    assert torch.allclose(karras_sigmas(9, 0.01, 20, rho=1e6), exponential_sigmas(9, 0.01, 20), rtol=1e-4)
    for bad in ((0, 0.1, 1.0), (3, 0.0, 1.0), (3, 2.0, 1.0)):
        with pytest.raises(SettingsError, match="expected at least one step"):
            karras_sigmas(*bad)
    with pytest.raises(SettingsError, match="1 to 1000"):
        linear_beta_sigmas(1001)


def test_ancestral_single_gaussian_keeps_the_marginals():
    """With DDPM's own levels, data N(0, 1) and the exact denoiser, the noise level is right after every step."""
    sigmas = linear_beta_sigmas(1000)
    x = starts(20_000, 1.0) * (sigmas[0] ** 2 + 1).sqrt()
    spreads = []

    def denoise(x, sigma):
        return x / (1 + sigma.reshape(-1, 1, 1, 1) ** 2)

    euler_ancestral(denoise, x, sigmas, noise=noise_like(x), callback=lambda _, x: spreads.append(x.std().item()))
    expected = (sigmas[1:] ** 2 + 1).sqrt()
    assert torch.tensor(spreads[:-1:100], dtype=torch.float64).allclose(expected[:-1:100], rtol=0.03)


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_sampler_can_tell_the_units_it_works_in(name):
    """Channels measured in other units end where they would have ended in their own."""
    units = torch.tensor([0.25, 3.0], dtype=torch.float64).reshape(1, 2, 1, 1)

    def shrunk(x_NCHW, sigma):
        """The exact denoiser of normal data of spread 0.5, for noise that differs from channel to channel."""
        return x_NCHW * 0.25 / (0.25 + sigma**2)

    sigmas, start = karras_sigmas(6, 0.02, 2.0), starts(8, 2.0)

    def draws():
        rng = torch.Generator().manual_seed(1)
        return lambda: torch.randn(start.shape, generator=rng, dtype=torch.float64)

    aware = in_units(lambda x, sigma: shrunk(x, sigma.reshape(-1, 1, 1, 1) * units), units)
    together = SAMPLERS[name](aware, start, sigmas, noise=draws()) * units
    for channel in (0, 1):
        unit = units[:, channel]

        def alone(x, sigma, unit=unit):
            return shrunk(x, sigma.reshape(-1, 1, 1, 1))

        apart = SAMPLERS[name](alone, start * unit, sigmas * unit.reshape(()), noise=draws())
        assert together[:, channel].numpy() == pytest.approx(apart[:, channel].numpy(), rel=1e-9, abs=1e-12)
