"""The generator fitted several times in a whole run: each training of the proof learns from the images of one fit."""

import json

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import SettingsError
from flawsmith.core.files import read_json, sha256_file
from flawsmith.core.settings import resolve
from flawsmith.proof.schema import Results
from flawsmith.recipes.settings import RunSettings

TWO = [*TINY, "fits=2", "proof.seeds=3", 'arms=["unfiltered"]']


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return flawsmith.run("demo", tmp_path_factory.mktemp("fits") / "run", settings=resolve(RunSettings, None, TWO))


def pictures(folder):
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(folder.rglob("*.png"))}


def test_every_set_is_made_anew_on_the_same_split_and_kit(done):
    folders = {path.name for path in done.folder.iterdir() if path.is_dir()}
    assert {f"{name}_1" for name in ("fit", "generate", "filter", "unfiltered", "control_copy_paste")} <= folders
    assert not {"fit_2", "split_1", "kit_1"} & folders
    weights = [sha256_file(done.folder / name / "model" / "local.safetensors") for name in ("fit", "fit_1")]
    assert weights[0] != weights[1]
    for stage in ("generate", "unfiltered", "control_copy_paste"):
        own, again = (pictures(done.folder / name / "images") for name in (stage, f"{stage}_1"))
        assert not set(own.values()) & set(again.values())


def test_trainings_take_turns(done):
    def learnt(arm, seed):
        return read_json(done.folder / "prove" / "units" / f"{arm}-{seed}" / ".token.json")

    assert done.results["sets"] == {"real": 0, "real+copy_paste": 2, "real+unfiltered": 2, "real+synthetic": 2}
    assert len({json.dumps(learnt("real+synthetic", seed)) for seed in range(3)}) == 3
    inputs = read_json(done.folder / "prove" / "manifest.json")["inputs"]
    assert {"generate", "filter", "generate_1", "filter_1", "control_copy_paste_1", "unfiltered_1"} <= set(inputs)
    Results.model_validate(done.results, strict=True)


def test_report_and_cards_say_so(done):
    assert "took turns with 2 fits of the generator" in done.report.read_text()
    assert "took turns with 2 fits of the generator" in (done.report.parent / "model_card.md").read_text()
    assert "first of 2 fits" in (done.report.parent / "data_card.md").read_text()


def test_an_image_of_a_further_fit_is_made_again(done, tmp_path):
    for stage in ("generate_1", "control_copy_paste_1"):
        image = min((done.folder / stage / "images").rglob("*.png"))
        assert flawsmith.remake(image, tmp_path / "again.png").read_bytes() == image.read_bytes()


def test_one_more_fit_keeps_what_is_done(done):
    def written(stage):
        return (done.folder / stage / "manifest.json").stat().st_mtime_ns

    stages = ("fit", "generate", "fit_1", "generate_1")
    before = [written(stage) for stage in stages]
    settings, tasks = resolve(RunSettings, None, [*TWO, "fits=3"]), set()
    more = flawsmith.run(
        "demo", done.folder, settings=settings, until="prove", progress=lambda task, *_: tasks.add(task)
    )
    assert more.results["sets"]["real+synthetic"] == 3
    assert [written(stage) for stage in stages] == before
    trained = {task.removeprefix("train ") for task in tasks if task.startswith("train ")}
    assert trained == {"real+copy_paste-2", "real+unfiltered-2", "real+synthetic-2"}, "the others learnt the same"


def test_more_fits_than_trainings_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"fits 4 is above proof\.seeds 3"):
        flawsmith.run("demo", tmp_path / "run", settings=resolve(RunSettings, None, [*TWO, "fits=4"]))
    assert not (tmp_path / "run").exists()
