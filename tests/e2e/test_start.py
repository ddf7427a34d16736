"""Fitting a generator from what another one has learnt."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny import TINY

import flawsmith
from flawsmith.core.errors import SettingsError, StageError
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings
from flawsmith.training.weights import load_weights

WEIGHTS = Path("fit", "model", "local.safetensors")


def fitted(out: Path, *changes: str) -> Path:
    settings = resolve(RunSettings, None, [*TINY, *changes])
    return flawsmith.run("demo", out, settings=settings, until="fit").folder


def first_loss(folder: Path) -> float:
    return json.loads((folder / "fit" / "model" / "losses.json").read_text())[0][1]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    return fitted(tmp_path_factory.mktemp("teacher") / "run", "local.loop.steps=150")


def test_a_fit_goes_on_from_another_and_says_nothing_of_where_it_lay(teacher, tmp_path):
    begun = fitted(tmp_path / "begun", f"local.start={teacher / WEIGHTS}", "local.loop.log_every=5")
    fresh = fitted(tmp_path / "fresh", "local.loop.log_every=5")
    assert first_loss(begun) < first_loss(fresh)
    tensors, config = load_weights(begun / WEIGHTS)
    assert "start" not in config["settings"]
    learnt, _ = load_weights(teacher / WEIGHTS)
    near = torch.linalg.norm(tensors["unet.enter.weight"] - learnt["unet.enter.weight"])
    far = torch.linalg.norm(load_weights(fresh / WEIGHTS)[0]["unet.enter.weight"] - learnt["unet.enter.weight"])
    assert near < far


def test_what_a_start_holds_counts_and_not_where_it_lies(teacher, tmp_path):
    copies = [tmp_path / name / "local.safetensors" for name in ("one", "two")]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copy(teacher / WEIGHTS, copy)
    folder = fitted(tmp_path / "run", f"local.start={copies[0]}")
    written = (folder / WEIGHTS).stat().st_mtime_ns
    fitted(tmp_path / "run", f"local.start={copies[1]}")
    assert (folder / WEIGHTS).stat().st_mtime_ns == written
    fitted(tmp_path / "run", f"local.start={fitted(tmp_path / 'other', 'seed=1') / WEIGHTS}")
    assert (folder / WEIGHTS).stat().st_mtime_ns > written


def test_a_start_that_is_missing_or_no_weights_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        fitted(tmp_path / "run", f"local.start={tmp_path / 'nowhere'}")
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no weights")
    with pytest.raises(StageError, match="not a safetensors file"):
        fitted(tmp_path / "run", f"local.start={wrong}")
