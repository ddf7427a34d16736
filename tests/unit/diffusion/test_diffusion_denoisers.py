"""What wraps a denoiser: preconditioning, guidance, inpainting, tiling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.diffusion import preconditioning as edm
from flawsmith.diffusion.guidance import classifier_free
from flawsmith.diffusion.inpainting import keep_known
from flawsmith.diffusion.samplers import SAMPLERS
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.diffusion.tiling import blend_weight, cover, tiled

DATA = 0.5


def gaussian(x, sigma):
    """The exact denoiser of white Gaussian data with standard deviation DATA."""
    return x * DATA**2 / (DATA**2 + sigma.reshape(-1, 1, 1, 1) ** 2)


def blur(x, sigma):
    """A denoiser that looks around."""
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1) / (1 + sigma.reshape(-1, 1, 1, 1))


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_preconditioning_has_unit_variances():
    sigma = torch.tensor([0.01, 0.3, 5.0, 80.0])
    clean, fresh = noise(4, 200_000) * DATA, noise(4, 200_000, seed=1)
    noisy = clean + sigma[:, None] * fresh
    scaled = edm.c_in(sigma, DATA)[:, None] * noisy
    target = (clean - edm.c_skip(sigma, DATA)[:, None] * noisy) / edm.c_out(sigma, DATA)[:, None]
    assert torch.allclose(scaled.std(1), torch.ones(4), atol=0.01)
    assert torch.allclose(target.std(1), torch.ones(4), atol=0.01)
    assert torch.allclose(edm.loss_weight(sigma, DATA) * edm.c_out(sigma, DATA) ** 2, torch.ones(4))


def test_best_network_for_white_data_is_zero():
    """c_skip alone is the exact posterior mean of white Gaussian data."""
    x, sigma = noise(3, 1, 4, 4), torch.tensor([0.1, 1.0, 10.0])
    told = []
    denoise = edm.precondition(lambda x, c: told.append(c) or torch.zeros_like(x), DATA)
    assert torch.allclose(denoise(x, sigma), gaussian(x, sigma))
    assert torch.allclose(told[0], sigma.log() / 4)


def test_training_levels_are_lognormal():
    logs = edm.training_sigmas(50_000, torch.Generator().manual_seed(0)).log()
    assert logs.mean().item() == pytest.approx(-1.2, abs=0.03)
    assert logs.std().item() == pytest.approx(1.2, abs=0.03)


def test_guidance_is_a_line_through_both():
    def one(x, sigma):
        return x + 1

    def zero(x, sigma):
        return x

    x, sigma = noise(2, 1, 3, 3), torch.full((2,), 2.0)
    for scale in (0.0, 1.0, 2.5):
        assert torch.allclose(classifier_free(one, zero, scale)(x, sigma), x + scale)
    narrow = classifier_free(one, zero, 3.0, (0.5, 2.0))
    assert torch.allclose(narrow(x, sigma), x + 3)
    assert torch.allclose(narrow(x, sigma * 1.01), x + 1)
    assert torch.allclose(narrow(x, torch.full((2,), 0.5)), x + 1)


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_keep_known_is_exact_outside(name):
    known, mask = noise(2, 3, 8, 8, seed=3), noise(2, 1, 8, 8, seed=4) > 0
    x = noise(2, 3, 8, 8) * 20
    done = SAMPLERS[name](
        keep_known(blur, known, mask), x, karras_sigmas(8, 0.02, 20), noise=lambda: noise(2, 3, 8, 8, seed=9)
    )
    outside = ~mask.expand_as(done)
    assert torch.equal(done[outside], known[outside])
    assert not torch.isclose(done[~outside], known[~outside]).any()


def test_one_window_over_everything_changes_nothing():
    x, sigma = noise(1, 3, 16, 16), torch.tensor([0.7])
    denoise = tiled(blur, [Window(0, 0, 16, 16)])
    torch.testing.assert_close(denoise(x, sigma), blur(x, sigma), rtol=1e-5, atol=1e-6)


def test_windows_agree_with_the_whole_where_the_denoiser_sees_single_pixels():
    x, sigma = noise(1, 2, 40, 56), torch.tensor([0.7])
    windows = cover(np.ones((40, 56), bool), 16, 12)
    torch.testing.assert_close(tiled(gaussian, windows)(x, sigma), gaussian(x, sigma))


def test_overlap_is_the_weighted_mean():
    windows = [Window(0, 0, 4, 4), Window(0, 2, 4, 6)]
    values = torch.tensor([1.0, 5.0]).view(2, 1, 1, 1)
    out = tiled(lambda x, s: torch.zeros_like(x) + values, windows)(torch.zeros(1, 1, 4, 7), torch.ones(1))
    bell = blend_weight(4)
    expected = (bell[:, 2:] * 1 + bell[:, :2] * 5) / (bell[:, 2:] + bell[:, :2])
    torch.testing.assert_close(out[0, 0, :, 2:4], expected)
    assert (out[0, 0, :, :2] == 1).all()
    assert (out[0, 0, :, 4:6] == 5).all()
    assert (out[0, 0, :, 6] == 0).all()


def test_all_windows_go_in_one_call():
    calls = []
    windows = cover(np.ones((30, 30), bool), 16, 8)
    tiled(lambda x, s: calls.append((x.shape, s.shape)) or x, windows)(noise(1, 1, 30, 30), torch.ones(1))
    assert calls == [((len(windows), 1, 16, 16), (len(windows),))]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cover_covers_and_stays_inside(data):
    side = data.draw(st.integers(1, 12))
    stride = data.draw(st.integers(1, side))
    height, width = (side + data.draw(st.integers(0, 40)) for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    mask = rng.random((height, width)) < data.draw(st.sampled_from([0.0, 0.002, 0.05, 1.0]))
    windows, seen = cover(mask, side, stride), np.zeros_like(mask)
    for window in windows:
        assert window.size_hw == (side, side)
        assert min(window) >= 0
        assert window.bottom <= height
        assert window.right <= width
        assert window.cut(mask).any() or mask[window.top : window.bottom].any()
        seen[window.top : window.bottom, window.left : window.right] = True
    assert not (mask & ~seen).any()
    assert len(set(windows)) == len(windows)
    assert len(windows) <= (1 + -(-(height - side) // stride)) * (1 + -(-(width - side) // stride))


def test_cover_lays_few_windows():
    mask = np.zeros((200, 300), bool)
    assert cover(mask, 32, 24) == []
    mask[50:60, 100:110] = True
    assert cover(mask, 32, 24) == [Window(39, 89, 71, 121)]
    mask[50:60, 250:260] = True
    assert len(cover(mask, 32, 24)) == 2
    line = np.zeros((200, 300), bool)
    line[100, 10:130] = True
    lefts = [window.left for window in cover(line, 32, 24)]
    assert len(lefts) == 5
    assert max(np.diff(lefts)) <= 24


def test_what_tiling_refuses():
    with pytest.raises(SettingsError, match="at least as large as a window"):
        cover(np.ones((8, 40), bool), 16, 8)
    with pytest.raises(SettingsError, match="1 <= stride"):
        cover(np.ones((40, 40), bool), 16, 17)
    for windows in ([], [Window(0, 0, 4, 6)], [Window(0, 0, 4, 4), Window(0, 0, 6, 6)]):
        with pytest.raises(SettingsError, match="equal squares"):
            tiled(blur, windows)
