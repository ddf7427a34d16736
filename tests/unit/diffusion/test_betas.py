"""Noise added in each step, against another library."""

import pytest
import torch

from flawsmith.core.errors import SettingsError
from flawsmith.diffusion.betas import betas

diffusers = pytest.importorskip("diffusers")
THEIRS = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}


@pytest.mark.parametrize("schedule", THEIRS)
def test_betas_are_those_of_diffusers(schedule):
    theirs = diffusers.DDPMScheduler(
        num_train_timesteps=100, beta_schedule=THEIRS[schedule], beta_start=0.001, beta_end=0.03
    ).betas
    ours = betas(schedule, 100, 0.001, 0.03)
    assert ours.dtype == torch.float64
    assert torch.allclose(ours.float(), theirs, atol=1e-6)


@pytest.mark.parametrize(("steps", "first", "last"), [(1, 0.1, 0.2), (5, 0.2, 0.1), (5, 0.0, 0.1), (5, 0.1, 1.0)])
def test_impossible_schedules_are_refused(steps, first, last):
    with pytest.raises(SettingsError, match="expected at least two"):
        betas("linear", steps, first, last)
