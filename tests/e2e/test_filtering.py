"""Gates and verdicts by hand in a whole run, and what must not get through: copies, duplicates, noise."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import DataError, QuotaError, SettingsError
from flawsmith.core.files import read_json, sha256_file, write_json
from flawsmith.core.geometry import window_around
from flawsmith.core.protocols import silent
from flawsmith.core.records import Painting, read_jsonl
from flawsmith.core.rng import stream
from flawsmith.core.settings import Settings, resolve
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.generators.catalogue import GENERATORS
from flawsmith.recipes.settings import RunSettings

QUICK = [*TINY, "generator=copy_paste", "kit.gates.not_a_copy=0"]


class Painter:
    """A generator whose `painting(patch, rng)` paints a patch."""

    weights_sha256, takes_mask = "0" * 64, True

    def __init__(self, painting):
        self.painting = painting

    def window(self, box_xyxy, size_hw):
        left, top, right, bottom = box_xyxy
        size = int(bottom - top) + 64, int(right - left) + 64
        return window_around(((top + bottom) / 2, (left + right) / 2), size, size_hw)

    def paint(self, patches):
        return [self.painting(each, stream(each.seed, "planted")) for each in patches]


def noise(patch, rng):
    """Paint what no camera ever saw: every pixel anything."""
    wild = rng.integers(0, np.iinfo(patch.background.dtype).max, patch.background.shape, endpoint=True)
    painted = np.where(patch.mask[..., None], wild, patch.background).astype(patch.background.dtype)
    return Painting(painted, patch.mask)


def copying(catalog):
    """Return a painting that lays a training defect of the class on the patch as it is, but for a little light."""
    known = [(sample.image, each) for entry in catalog for sample in [load_sample(entry)] for each in sample.defects]

    def paint(patch, rng):
        mine = [(image, each) for image, each in known if each.label == patch.label]
        image, defect = mine[int(rng.integers(len(mine)))]
        left, top, right, bottom = (int(value) for value in defect.box_xyxy)
        height, width = patch.mask.shape
        at = (height - (bottom - top)) // 2, (width - (right - left)) // 2
        if min(at) < 0:
            return Painting(patch.background, np.zeros_like(patch.mask))
        mask = np.zeros_like(patch.mask)
        inside = slice(at[0], at[0] + bottom - top), slice(at[1], at[1] + right - left)
        mask[inside] = defect.mask[top:bottom, left:right]
        painted = patch.background.copy()
        lit = (image[defect.mask] * rng.uniform(0.9, 1.1)).clip(0, np.iinfo(image.dtype).max)
        painted[mask] = lit.astype(image.dtype)
        return Painting(painted, mask)

    return paint


class Planted:
    """A family that learns nothing but where its training part lies."""

    settings = Settings

    def __init__(self, painting_of):
        self.painting_of = painting_of

    def fit(self, catalog, settings, folder, *, seed, progress=silent):
        write_json(folder / "catalog.json", catalog.to_json())

    def load(self, folder, sampling=None):
        return Painter(self.painting_of(load_catalog(folder / "catalog.json")))


@pytest.fixture
def planted():
    """Registers a generator under "planted" for one test."""

    def register(painting_of):
        GENERATORS.register("planted")(Planted(painting_of))

    yield register
    GENERATORS._parts.pop("planted", None)


def rows_of(run: Path) -> list[dict]:
    return read_jsonl(run / "generate" / "gates.jsonl")


def test_a_copy_machine_is_caught_by_the_gate_against_copies(planted, tmp_path):
    planted(copying)
    options = ["generator=planted", "generate.least_share=0", "kit.gates.not_a_duplicate=0"]
    flawsmith.run("demo", tmp_path, settings=resolve(RunSettings, None, [*TINY, *options]), until="generate")
    rows = [row for row in rows_of(tmp_path) if row["birth"]["scores"]]
    caught = [any(reason.startswith("not_a_copy: ") for reason in row["reasons"]) for row in rows]
    assert len(rows) >= 12
    assert np.mean(caught) >= 0.9, rows
    settings = resolve(RunSettings, None, [*TINY, "generator=planted", "generate.least_share=1"])
    with pytest.raises(QuotaError, match="rejected most often by: not_a_copy"):
        flawsmith.run("demo", tmp_path, settings=settings, until="generate")


def test_a_generator_of_noise_is_not_said_to_help(planted, tmp_path):
    planted(lambda catalog: noise)
    options = [
        "generator=planted", "kit.gates.on_object=0", "quality.net=none", "proof.seeds=3", "proof.steps=24",
        "proof.bootstrap=1000",  # of twenty resamples an interval is too narrow to be judged by
    ]  # fmt: skip
    done = flawsmith.run("demo", tmp_path, settings=resolve(RunSettings, None, [*TINY, *options]))
    assert done.results["verdict"]["verdict"] in ("hurts", "no evidence")
    assert done.verdict.startswith(("hurts: Do not use them", "no evidence: Not shown"))


def test_the_networks_gates_run_whole_and_say_score_and_limit(planted, tmp_path):
    planted(lambda catalog: noise)
    options = [
        "generator=planted", "generate.least_share=0", "kit.gates.class_agreed=auto", "kit.gates.realistic=auto",
        "kit.panel.networks=2", "kit.panel.steps=30", "kit.panel.side=16", "kit.panel.widths=[8,16]", "split.shots=4",
    ]  # fmt: skip
    flawsmith.run("demo", tmp_path, settings=resolve(RunSettings, None, [*TINY, *options]), until="filter")
    rows = rows_of(tmp_path)
    for row in rows:
        scores, limits = row["birth"]["scores"], row["limits"]
        low = {gate for gate in ("class_agreed", "realistic") if scores[gate] < limits[gate]}
        assert {reason.split(":")[0] for reason in row["reasons"]} >= low
        assert not (row["accepted"] and low)
        assert scores.pop("mask_plausible") is None, "a mask was asked for"
        assert all(0 <= scores[gate] <= 1 for gate in scores if gate != "visible")
    assert any(reason.startswith(("class_agreed", "realistic")) for row in rows for reason in row["reasons"])


def test_the_second_of_two_alike_is_replaced_and_an_interruption_changes_nothing(planted, tmp_path):
    planted(copying)
    options = ["generator=planted", "generate.least_share=0", "kit.gates.not_a_copy=0", "generate.plan.per_class=6"]

    def made(folder: Path, batch: int, killed: bool = False) -> Path:
        settings = resolve(RunSettings, None, [*TINY, *options, f"generate.batch={batch}"])

        def progress(task, done, total, note):
            if killed and task == "generate" and note and done >= 6:
                raise KeyboardInterrupt

        if killed:
            with pytest.raises(KeyboardInterrupt):
                flawsmith.run("demo", folder, settings=settings, until="generate", progress=progress)
        flawsmith.run("demo", folder, settings=settings, until="generate")
        return folder / "generate" / "gates.jsonl"

    whole = made(tmp_path / "a", 4)
    rows = read_jsonl(whole)
    doubles = [row for row in rows if any(each.startswith("not_a_duplicate: ") for each in row["reasons"])]
    assert doubles, "three defects per class, laid six times and more, repeat"
    assert not any(row["accepted"] for row in doubles)
    assert all(row["scores"]["not_a_duplicate"] < row["limits"]["not_a_duplicate"] for row in doubles)
    assert all("not_a_duplicate" not in row["birth"]["scores"] for row in rows), "an image can be remade alone"
    assert sha256_file(made(tmp_path / "b", 5, killed=True)) == sha256_file(whole)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A run that has made twenty-four images."""
    folder = tmp_path_factory.mktemp("run")
    options = ["generate.plan.per_class=6", "kit.gates.not_a_duplicate=0"]
    settings = resolve(RunSettings, None, [*QUICK, *options])
    flawsmith.run("demo", folder, settings=settings, until="filter")
    return folder, settings


def judged(folder: Path, table: Path, accept) -> list[dict]:
    rows = [row for row in rows_of(folder) if row["accepted"]]
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "verdict"])
        for row in rows:
            writer.writerow([f"generate/images/{row['id']}.png", "accept" if accept(row) else "reject"])
    return rows


def filtered(folder: Path, settings: RunSettings, **chosen) -> flawsmith.Run:
    return flawsmith.run("demo", folder, settings=settings, until="filter", filter=chosen)


def test_limits_are_learned_from_verdicts_by_hand_and_verdicts_are_obeyed(generated, tmp_path):
    folder, settings = generated
    rows = [row for row in rows_of(folder) if row["accepted"]]
    middle = float(np.median([row["birth"]["scores"]["visible"] for row in rows]))
    judged(folder, tmp_path / "verdicts.csv", lambda row: row["birth"]["scores"]["visible"] > middle)
    done = filtered(folder, settings, by_hand=str(tmp_path / "verdicts.csv"))
    learned = read_json(folder / "filter" / "learned.json")
    assert learned["least"]["visible"] == pytest.approx(middle, rel=0.2)
    assert learned["limits"][0]["gate"] == "visible"
    assert done.notes("filter") == [learned["sentence"]]
    kept = set(read_json(folder / "filter" / "accepted.json"))
    assert kept == {row["id"] for row in rows if row["birth"]["scores"]["visible"] > middle}
    assert {each["reasons"][0] for each in read_json(folder / "filter" / "rejected.json")} == {"by hand"}


def test_few_verdicts_are_obeyed_but_teach_nothing(generated, tmp_path):
    folder, settings = generated
    rows = judged(folder, tmp_path / "all.csv", lambda row: True)
    (tmp_path / "few.csv").write_text(f"image,verdict\n{rows[0]['id']},reject\n{rows[1]['id']},accept\n")
    done = filtered(folder, settings, by_hand=str(tmp_path / "few.csv"), least={"visible": 1e9})
    assert "Nothing is learned from 1 accepted and 1 rejected images" in done.notes("filter")[0]
    assert read_json(folder / "filter" / "accepted.json") == [rows[1]["id"]], "a verdict counts for more than a score"


def test_verdicts_on_images_of_another_run_are_refused(generated, tmp_path):
    folder, settings = generated
    (tmp_path / "other.csv").write_text("image,verdict\nscratch/99999,accept\n")
    with pytest.raises(DataError, match="no synthetic image is called 'scratch/99999'"):
        filtered(folder, settings, by_hand=str(tmp_path / "other.csv"))
    with pytest.raises(SettingsError, match="does not exist"):
        filtered(folder, settings, by_hand=str(tmp_path / "missing.csv"))


def test_a_limit_on_a_gate_that_was_off_is_refused(generated):
    folder, settings = generated
    with pytest.raises(SettingsError, match="realistic, which no image has a score of"):
        filtered(folder, settings, least={"realistic": 0.5})


def test_a_filter_without_verdicts_is_the_stage_it_was_before(generated):
    folder, settings = generated
    filtered(folder, settings)
    manifest = read_json(folder / "filter" / "manifest.json")
    assert manifest["settings"] == {"least": {}}
    assert set(manifest["inputs"]) == {"generate"}
    assert not (folder / "filter" / "learned.json").exists()
