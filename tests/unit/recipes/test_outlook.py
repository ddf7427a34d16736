"""The forecast of a run: it counts what the settings ask for, and its rates are those that were measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flawsmith.apps.cli.main import app
from flawsmith.core.settings import resolve
from flawsmith.data.image_io import write_image
from flawsmith.data.readers import read_catalog
from flawsmith.recipes.outlook import RATES_S, duration, outlook
from flawsmith.recipes.settings import RunSettings

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def put(root, side=40, count=4):
    for number in range(count):
        for label in ("good", "hole"):
            pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3)).astype(np.uint8)
            write_image(root / label / f"{number}.png", pixels)
    return root


@pytest.fixture
def catalog(tmp_path):
    return read_catalog(put(tmp_path / "set"))


def test_a_further_fit_costs_a_fit_and_a_generation_and_no_training_of_the_proof(catalog):
    one, two = (outlook(catalog, RunSettings.model_validate({"fits": fits}), 2).seconds for fits in (1, 2))
    for stage in ("fit", "generate", "controls"):
        assert two[stage] == pytest.approx([2 * each for each in one[stage]])
    assert (two["prove"], two["rest"]) == (one["prove"], one["rest"])


def test_twice_the_work_takes_twice_as_long_and_twice_the_cores_half(catalog):
    plain = RunSettings.model_validate({"proof": {"steps": 1000}})
    more = RunSettings.model_validate({"proof": {"steps": 2000}, "generate": {"plan": {"per_class": 400}}})
    one, two, quick = outlook(catalog, plain, 2), outlook(catalog, more, 2), outlook(catalog, plain, 4)
    for stage in ("prove", "generate", "controls"):
        assert two.seconds[stage] == pytest.approx([2 * each for each in one.seconds[stage]])
    for stage, span in one.seconds.items():
        assert quick.seconds[stage] == pytest.approx([each / 2 for each in span])
        assert 0 < span.low <= span.high


def test_steps_that_are_not_set_make_the_span_of_the_proof_wider(catalog):
    low, high = outlook(catalog, RunSettings(), 2).seconds["prove"]
    assert high / low > 2.5


def test_larger_images_and_more_trainings_take_more_memory(tmp_path, catalog):
    large = read_catalog(put(tmp_path / "large", side=1500, count=2))
    memory = [outlook(each, RunSettings(), 2).memory_mb for each in (catalog, large)]
    assert memory[1] > memory[0] + 10
    assert outlook(catalog, RunSettings(), 8).memory_mb > memory[0] + 1000


def test_what_was_not_measured_is_not_foretold(catalog):
    found = outlook(catalog, RunSettings.model_validate({"generator": "copy_paste"}), 2)
    assert (found.seconds, found.memory_mb) == (None, None)
    assert "not foretold" in found.sentence


@pytest.mark.parametrize("name", ["magnetic_tile", "mvtec_bottle"])
def test_the_rates_are_those_of_the_committed_runs(name):
    measured = json.loads((BENCHMARKS / f"results/{name}.json").read_text(encoding="utf-8"))
    settings = resolve(RunSettings, BENCHMARKS / f"settings/{name}.yaml")
    seconds, made = measured["seconds"], sum(measured["generated"]["accepted"].values())
    rates = {
        "fit": seconds["fit"] / settings.local.loop.steps,
        "generate": seconds["generate"] / made,
        "controls": seconds["control_copy_paste"] / made,
        "prove": seconds["prove"] / (3 * settings.proof.seeds * measured["steps"]),
    }
    for stage, rate in rates.items():
        assert RATES_S[stage].low / 1.5 < rate < RATES_S[stage].high * 1.5, f"measure the rate of {stage} anew"


@pytest.mark.parametrize("seconds", [30, 3000, 30_000, 300_000])
def test_durations_are_in_words(seconds):
    count, unit = duration(seconds).split()
    assert float(count) * {"min": 60, "h": 3600}[unit] == pytest.approx(seconds, rel=1)


def test_the_command_says_it_and_stores_it(tmp_path):
    data, run = put(tmp_path / "set"), tmp_path / "run"
    done = CliRunner().invoke(app, ["check", str(data), "--out", str(run), "--quiet"], catch_exceptions=False)
    assert "A whole run takes about" in done.output
    stored = json.loads((run / "outlook.json").read_text(encoding="utf-8"))
    assert stored["sentence"] in done.output.replace("\n", " ").replace("  ", " ") or stored["images"] == 8
    assert set(stored["seconds"]) == set(RATES_S)
    assert "fewer_groups" in (run / "check/check.html").read_text(encoding="utf-8")
