"""The run store: done once, skipped on the same inputs, redone when they change, resumed when killed."""

from pathlib import Path

import pytest

from flawsmith.core.errors import StageError
from flawsmith.core.files import read_json, sha256_file, write_json
from flawsmith.core.store import (
    MANIFEST,
    TIMING,
    fingerprint,
    read_manifest,
    run_stage,
    tool_versions,
    verified_manifest,
)

SETTINGS = {"steps": 3, "inner": {"rate": 0.1}}
INPUTS = {"data": "a" * 64}


class Work:
    """Writes two files and counts its calls."""

    def __init__(self, text: str = "one") -> None:
        self.calls, self.text, self.found = 0, text, []

    def __call__(self, folder: Path) -> dict[str, int]:
        self.calls += 1
        self.found = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        (folder / "deep").mkdir(exist_ok=True)
        (folder / "out.txt").write_text(self.text)
        (folder / "deep" / "more.txt").write_text("more")
        return {"files": 2}


def test_a_stage_is_done_and_says_what_it_did(tmp_path):
    manifest = run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, Work())
    assert (manifest.stage, manifest.settings, manifest.inputs) == ("fit", SETTINGS, INPUTS)
    assert manifest.counts == {"files": 2}
    assert manifest.files == {
        "out.txt": sha256_file(tmp_path / "fit" / "out.txt"),
        "deep/more.txt": sha256_file(tmp_path / "fit" / "deep" / "more.txt"),
    }
    assert manifest.versions == tool_versions()
    assert read_manifest(tmp_path / "fit") == verified_manifest(tmp_path / "fit") == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_the_same_inputs_are_skipped(tmp_path):
    work = Work()
    first = run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = run_stage("fit", tmp_path / "fit", {"inner": {"rate": 0.1}, "steps": 3}, INPUTS, work)
    assert work.calls == 1
    assert second == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("stage", "settings", "inputs"),
    [
        ("fit", {**SETTINGS, "steps": 4}, INPUTS),
        ("fit", {"steps": 3, "inner": {"rate": 0.2}}, INPUTS),
        ("fit", {**SETTINGS, "more": 1}, INPUTS),
        ("fit", SETTINGS, {"data": "b" * 64}),
        ("fit", SETTINGS, {**INPUTS, "kit": "c"}),
        ("fit2", SETTINGS, INPUTS),
    ],
)
def test_whatever_changes_is_done_again_and_nothing_old_is_left(stage, settings, inputs, tmp_path):
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, Work())
    (tmp_path / "fit" / "deep" / "more.txt").rename(tmp_path / "fit" / "deep" / "old.txt")
    again = Work("two")
    manifest = run_stage(stage, tmp_path / "fit", settings, inputs, again)
    assert again.calls == 1
    assert again.found == []
    assert (tmp_path / "fit" / "out.txt").read_text() == "two"
    assert not (tmp_path / "fit" / "deep" / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]
    assert manifest.fingerprint == fingerprint(stage, settings, inputs)


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_files_touched_since_are_noticed_and_made_again(damage, tmp_path):
    folder, work = tmp_path / "fit", Work()
    run_stage("fit", folder, SETTINGS, INPUTS, work)
    name = {"changed": "out.txt", "missing": "deep/more.txt", "added": "new.txt"}[damage]
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_text("mine")
    with pytest.raises(StageError, match=f"files changed since the stage wrote them: {name}; run it again"):
        verified_manifest(folder)
    run_stage("fit", folder, SETTINGS, INPUTS, work)
    assert work.calls == 2
    assert set(verified_manifest(folder).files) == {"out.txt", "deep/more.txt"}


class Killed(Exception):
    """Stands for a power cut."""


def interrupted(folder: Path) -> dict[str, int]:
    (folder / "half.txt").write_text("half")
    raise Killed


def test_a_killed_stage_has_no_final_folder_and_resumes(tmp_path):
    with pytest.raises(Killed):
        run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, interrupted)
    assert not (tmp_path / "fit").exists()
    work = Work()
    manifest = run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    assert work.found == ["half.txt"]
    assert set(manifest.files) == {"half.txt", "out.txt", "deep/more.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_a_killed_stage_is_not_resumed_with_other_settings(tmp_path):
    with pytest.raises(Killed):
        run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, interrupted)
    work = Work()
    run_stage("fit", tmp_path / "fit", {**SETTINGS, "steps": 9}, INPUTS, work)
    assert work.found == []
    assert not (tmp_path / "fit" / "half.txt").exists()


def test_a_killed_redo_leaves_the_old_result_whole(tmp_path):
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, Work())
    with pytest.raises(Killed):
        run_stage("fit", tmp_path / "fit", SETTINGS, {"data": "b"}, interrupted)
    assert verified_manifest(tmp_path / "fit").inputs == INPUTS
    assert (tmp_path / "fit" / "out.txt").read_text() == "one"


def test_leftovers_of_a_killed_renaming_do_no_harm(tmp_path):
    (tmp_path / ".fit.old").mkdir()
    (tmp_path / ".fit.old" / "x").write_text("x")
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, Work())
    run_stage("fit", tmp_path / "fit", {"steps": 1}, INPUTS, Work("two"))
    assert (tmp_path / "fit" / "out.txt").read_text() == "two"
    assert not (tmp_path / ".fit.old").exists()


def test_equal_runs_have_equal_manifests_and_digests_whatever_the_folder(tmp_path):
    one, two, other = (
        run_stage("fit", tmp_path / name, SETTINGS, INPUTS, Work(text))
        for name, text in (("a", "x"), ("b", "x"), ("c", "y"))
    )
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()
    assert one.digest == two.digest != other.digest
    assert one.fingerprint == other.fingerprint
    assert set(read_json(tmp_path / "a" / TIMING)) == {"seconds", "machine"}


def test_timing_does_not_count_as_a_result(tmp_path):
    work = Work()
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    write_json(tmp_path / "fit" / TIMING, {"seconds": 99, "machine": "elsewhere"})
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    assert work.calls == 1


def test_a_missing_stage_says_what_to_do(tmp_path):
    with pytest.raises(StageError, match=r"no manifest\.json\): run that stage first"):
        read_manifest(tmp_path / "nothing")


@pytest.mark.parametrize("text", ['{"stage": "fi', "", "[]", '{"stage": "fit"}', '{"other": 1}'])
def test_a_manifest_that_is_damaged_is_named_and_made_again(text, tmp_path):
    """A manifest is written whole, but disks fail, people edit, and other versions wrote other fields."""
    work = Work()
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    (tmp_path / "fit" / MANIFEST).write_text(text)
    with pytest.raises(StageError, match=MANIFEST):
        read_manifest(tmp_path / "fit")
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, work)
    assert work.calls == 2
    assert verified_manifest(tmp_path / "fit").stage == "fit"


def test_versions_name_what_can_change_a_result():
    found = tool_versions()
    assert {"python", "flawsmith", "numpy", "torch"} <= set(found)
    assert all(found.values())


def test_what_a_killed_process_had_begun_to_write_is_swept_away(tmp_path):
    def killed(folder: Path) -> dict[str, int]:
        (folder / "deep").mkdir()
        (folder / ".out.txt.4242.part").write_text("hal")
        (folder / "deep" / ".more.txt.4242.part").write_text("hal")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, killed)
    run_stage("fit", tmp_path / "fit", SETTINGS, INPUTS, Work())
    files = {path.relative_to(tmp_path / "fit").as_posix() for path in (tmp_path / "fit").rglob("*") if path.is_file()}
    assert files == {"out.txt", "deep/more.txt", MANIFEST, TIMING}
