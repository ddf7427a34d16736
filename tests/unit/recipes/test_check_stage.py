"""What the check stage writes, also where the data cannot be used, and the command that writes a cleaned copy."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pages import Page
from typer.testing import CliRunner

from flawsmith.apps.cli.main import app
from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_file
from flawsmith.data.checks import Problem
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.readers import read_catalog
from flawsmith.recipes.check import check_stage, look
from flawsmith.recipes.route import Route
from flawsmith.recipes.settings import RunSettings

WICKED = "<script>alert(1)&.png"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    rng = np.random.default_rng(0)
    for number in range(8):
        label = ("good", "hole")[number // 4]
        write_image(folder / label / f"{number}.png", rng.integers(0, 255, (40, 40, 1), np.uint8))
    for number in range(4, 8):
        write_mask(folder / f"masks/hole/{number}.png", np.eye(40, dtype=bool))
    return folder


def route(root, tmp_path):
    return Route(str(root), tmp_path / "run", RunSettings())


def page(tmp_path):
    return Page(tmp_path / "run/check/check.html")


def test_a_sound_set(root, tmp_path):
    manifest = check_stage(route(root, tmp_path))
    assert manifest.counts == {"images": 8, "problems": 0, "errors": 0}
    assert sorted(manifest.files) == ["catalog.json", "check.html", "problems.json"]
    assert "Nothing wrong was found." in page(tmp_path).texts


def test_findings_are_shown_with_escaped_names_and_pictures(root, tmp_path):
    write_image(root / "good" / WICKED, np.full((40, 40, 1), 9, np.uint8))
    write_mask(root / "masks/good" / WICKED, np.eye(40, dtype=bool))
    write_mask(root / "masks/hole/5.png", np.zeros((40, 40), bool))
    check_stage(route(root, tmp_path))
    shown = page(tmp_path)
    assert "script" not in shown.tags
    assert f"masks/good/{WICKED}" in shown.texts
    assert "masks/hole/5.png" in shown.texts
    assert shown.tags.count("img") == 4, "a mask and its image, for each of two findings"
    assert all(source.startswith("data:image/png;base64,") for source in shown.sources)
    rows = read_json(tmp_path / "run/check/problems.json")
    problems = [Problem.from_json(row) for row in rows]
    assert [(each.kind, each.file.name) for each in problems] == [("mask_on_good", WICKED), ("empty_mask", "5.png")]
    assert problems[1].others == (root / "hole/5.png",)


def test_errors_are_told_each_time_and_shown(root, tmp_path):
    (root / "good/0.png").write_text("no image")
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 files cannot be used(.|\n)*good/0\.png"):
            check_stage(route(root, tmp_path))
    assert "good/0.png" in page(tmp_path).texts
    assert not (tmp_path / "run/check/catalog.json").exists()


def test_names_that_are_no_utf8_end_in_our_own_error(root, tmp_path):
    try:
        (root / "good/0.png").rename(root / "good" / os.fsdecode(b"Ma\xdf.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(DataError, match="Ma%DF"):
        check_stage(route(root, tmp_path))
    assert "good/Ma%DF.png" in page(tmp_path).texts


def test_what_a_link_shows_outside_is_neither_hashed_nor_pictured(root, tmp_path):
    write_image(tmp_path / "secret.png", np.full((40, 40, 1), 7, np.uint8))
    (root / "good/link.png").symlink_to(tmp_path / "secret.png")
    first = look(route(root, tmp_path))
    write_image(tmp_path / "secret.png", np.full((40, 40, 1), 8, np.uint8))
    assert look(route(root, tmp_path)).fingerprint == first.fingerprint
    assert "img" not in page(tmp_path).tags


def test_a_mask_put_there_later_is_seen(root, tmp_path):
    check_stage(route(root, tmp_path))
    write_mask(root / "masks/good/1.png", np.eye(40, dtype=bool))
    assert check_stage(route(root, tmp_path)).counts["problems"] == 1


def test_proposed_groups_can_be_given_back(root, tmp_path):
    array = np.kron(np.random.default_rng(1).integers(0, 200, (5, 5, 1), np.uint8), np.ones((8, 8, 1), np.uint8))
    for number in range(2):
        write_image(root / f"good/burst {number}.png", array + np.uint8(number))
    check_stage(route(root, tmp_path))
    catalog = read_catalog(root, groups=tmp_path / "run/check/proposed_groups.csv")
    groups = {entry.id: entry.group for entry in catalog}
    assert groups["good/burst 0"] == groups["good/burst 1"] == "probable-001"
    assert len(set(groups.values())) == 9


def test_the_command_writes_a_cleaned_copy(root, tmp_path):
    (root / "good/0.png").write_text("no image")
    run, out = str(tmp_path / "run"), str(tmp_path / "cleaned")
    done = CliRunner().invoke(app, ["check", str(root), "--out", run, "--fix", out, "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "1 changes, listed in" in done.output.replace("\n", " ")
    assert len(read_catalog(tmp_path / "cleaned")) == 7
    assert (root / "good/0.png").read_text() == "no image"
    assert (tmp_path / "run/check/check.html").is_file()


def test_an_archive_is_checked_as_the_folder_in_it(root, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "tiles"), "zip", tmp_path, "set"))
    manifest = check_stage(route(archive, tmp_path))
    assert manifest.counts == {"images": 8, "problems": 0, "errors": 0}
    assert manifest.inputs == check_stage(Route(str(root), tmp_path / "other", RunSettings())).inputs
    assert check_stage(route(archive, tmp_path)).fingerprint == manifest.fingerprint
    home = tmp_path / "run/unpacked"
    assert [path.name for path in home.iterdir()] == [sha256_file(archive)[:16]]
    assert read_json(tmp_path / "run/check/catalog.json")["name"] == "set"


def test_a_wicked_archive_ends_in_our_own_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("../evil.png", b"")
    with pytest.raises(DataError, match=r"x\.zip: the entry '\.\./evil\.png' would lie elsewhere"):
        check_stage(route(tmp_path / "x.zip", tmp_path))
    assert not list(tmp_path.rglob("evil.png"))
