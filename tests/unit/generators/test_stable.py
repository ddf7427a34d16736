"""A latent diffusion model of others as a denoiser: held against diffusers' own schedulers."""

import pytest
import torch

from flawsmith.core.errors import SettingsError
from flawsmith.generators.stable import OnStable, Stable
from flawsmith.nets.attention import Context
from flawsmith.nets.pipeline import open_pipeline
from toy_pipeline import WIDTH, write_pipeline

PREDICTIONS = ("epsilon", "v_prediction", "sample")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {each: write_pipeline(tmp_path_factory.mktemp(each), prediction=each) for each in PREDICTIONS}


def opened(folders, prediction: str = "epsilon") -> Stable:
    return Stable(open_pipeline(folders[prediction]))


def tokens(count: int = 2) -> Context:
    torch.manual_seed(5)
    return Context(torch.randn(count, 3, WIDTH), 1)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_clean_estimate_is_that_of_diffusers_at_every_whole_step(folders, prediction):
    from diffusers import DDIMScheduler

    stable, context = opened(folders, prediction), tokens()
    ddim = DDIMScheduler.from_pretrained(folders[prediction], subfolder="scheduler", clip_sample=False)
    ddim.set_timesteps(1000)
    for step in (0, 17, 500, 999):
        torch.manual_seed(step)
        unit = torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            said = stable.unet(unit, step, context.tokens).sample
            sigma = ((1 - ddim.alphas_cumprod[step]) / ddim.alphas_cumprod[step]) ** 0.5
            found = stable.denoise(unit * (1 + sigma**2) ** 0.5, sigma.expand(2), context)
        wanted = ddim.step(said, step, unit).pred_original_sample
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_between_two_steps_the_time_lies_between_them(folders):
    chain = opened(folders).chain
    levels = chain.levels_T
    assert chain.times_at(levels[[0, 3, 999]]).tolist() == pytest.approx([0, 3, 999], abs=1e-4)
    amid = (levels[400] * levels[401]) ** 0.5
    assert float(chain.times_at(amid[None])) == pytest.approx(400.5, abs=1e-3)
    assert chain.times_at(torch.tensor([1e-4, 1e4])).tolist() == [0, 999]


def test_sampling_by_euler_is_diffusers_ddim(folders):
    """Both are the same first-order step, written in two frames."""
    from diffusers import DDIMScheduler

    from flawsmith.diffusion.samplers import SAMPLERS

    stable, context = opened(folders), tokens(1)
    ddim = DDIMScheduler.from_pretrained(
        folders["epsilon"], subfolder="scheduler", clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading"
    )
    ddim.set_timesteps(10)
    torch.manual_seed(0)
    x = unit = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        for step in ddim.timesteps:
            unit = ddim.step(stable.unet(unit, step, context.tokens).sample, step, unit).prev_sample
        sigmas = torch.cat([stable.chain.levels_T[ddim.timesteps], torch.zeros(1, dtype=torch.float64)])
        start = stable.chain.start(x, sigmas)
        found = SAMPLERS["euler"](lambda each, sigma: stable.denoise(each, sigma, context), start, sigmas)
    assert torch.allclose(found, unit, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_become_latents_of_unit_scale_and_come_back_as_diffusers_has_it(folders, channels):
    stable = opened(folders)
    picture = torch.rand(2, channels, 32, 32) * 2 - 1
    latents = stable.encode(picture)
    assert latents.shape == (2, 4, 32 // stable.factor, 32 // stable.factor)
    with torch.no_grad():
        wanted = stable.vae.encode(picture.expand(-1, 3, -1, -1)).latent_dist.mean * 0.5
        back = stable.vae.decode(wanted / 0.5).sample.clamp(-1, 1)
    assert torch.allclose(latents, wanted, atol=1e-6)
    found = stable.decode(latents, channels)
    assert found.shape == picture.shape
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    assert torch.allclose(found, back if channels == 3 else (back * weights).sum(1, keepdim=True), atol=1e-5)


def test_levels_stay_within_those_the_model_was_learnt_at(folders):
    stable = opened(folders)
    levels = stable.sigmas(5, 1e-4, 80.0)
    assert levels[[0, 4]].tolist() == pytest.approx([float(stable.chain.levels_T[each]) for each in (-1, 0)])
    assert levels[5] == 0
    drawn = stable.training_sigmas(4000, torch.Generator().manual_seed(0))
    steps = stable.chain.steps_at(drawn)
    assert torch.allclose(stable.chain.levels_T[steps].float(), drawn)
    assert float(steps.float().mean()) == pytest.approx(499.5, abs=15)


def test_a_side_that_does_not_fit_is_refused(folders):
    with pytest.raises(SettingsError, match="side 34 must be a multiple of 4"):
        opened(folders).check_sides("side", 34)


def test_what_happens_between_blocks_is_told_where_and_ends_with_the_call(folders):
    stable, context, sigma = opened(folders), tokens(), torch.ones(2)
    x = torch.randn(2, 4, 8, 8)
    places = {}

    def between(place, features):
        places[place] = features.shape[1]
        return features * 1.5

    with torch.no_grad():
        plain = stable.denoise(x, sigma, context)
        changed = stable.denoise(x, sigma, context, between)
        assert torch.equal(stable.denoise(x, sigma, context), plain)
    assert not torch.allclose(changed, plain, atol=1e-4)
    assert tuple(places[place] for place in range(len(stable.places))) == stable.places


def test_the_model_goes_along_but_is_not_part_of_what_stands_on_it(folders):
    stable = opened(folders)
    above = OnStable(stable)
    assert list(above.parameters()) == []
    assert above.state_dict() == {}
    above.to(torch.float64)
    assert {each.dtype for each in stable.parameters()} == {torch.float64}
