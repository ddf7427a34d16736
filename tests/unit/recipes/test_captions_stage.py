"""The commands captions and linescan, from files to files."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flawsmith.apps.cli.main import app
from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.files import read_json
from flawsmith.core.store import verified_manifest
from flawsmith.data.coordinates import read_captions
from flawsmith.data.image_io import read_image, write_image, write_mask
from flawsmith.recipes.captions import caption_data
from flawsmith.recipes.settings import RunSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from lattices import Circuit

PERIOD = np.array([14.0, 18.0])


@pytest.fixture
def panels(tmp_path):
    circuit, rng = Circuit(PERIOD, seed=4), np.random.default_rng(0)
    shifts = {"good/0": (0, 0), "good/1": (0.4, 0.7), "good/2": (0.8, 0.3), "spot/0": (0.25, 0.5)}
    for name, shift in shifts.items():
        hole = 9 * name.startswith("spot")
        image = circuit.image((90, 84), shift, rng, noise=0.01, hole=hole)
        write_image(tmp_path / f"set/{name}.png", image)
    write_mask(tmp_path / "set/masks/spot/0.png", image[..., 0] < 30)
    write_image(tmp_path / "set/spot/1.png", rng.integers(0, 255, (90, 84, 1), np.uint8))
    write_mask(tmp_path / "set/masks/spot/1.png", np.eye(90, 84, dtype=bool))
    return tmp_path / "set", shifts


def test_captions_are_made_once_and_say_where(panels, tmp_path):
    root, shifts = panels
    result = CliRunner().invoke(app, ["captions", str(root), "--out", str(tmp_path / "run"), "--quiet"])
    assert result.exit_code == 0, result.output
    assert "4 of 5 images" in result.output
    folder = tmp_path / "run/captions"
    counts = verified_manifest(folder).counts
    assert (counts["images"], counts["captions"], counts["unsure"]) == (5, 4, 1)
    assert (counts["period_x_px"], counts["period_y_px"]) == pytest.approx(PERIOD, abs=0.05)
    found = read_captions(folder / "texts")
    assert {id: caption.name for id, caption in found.items()} == {id: id.split("/")[0] for id in shifts}
    for id, shift in shifts.items():
        away = np.array([found[id].x, found[id].y]) / PERIOD - shift
        assert (np.abs((away + 0.5) % 1 - 0.5) * PERIOD < 0.25).all()
    assert read_image(folder / "template.png").shape == (18, 14, 1)
    assert "does not show the pattern" in (folder / "phases.csv").read_text()
    written = (folder / "manifest.json").stat().st_mtime_ns
    settings = RunSettings(captions={"like": folder})
    again = caption_data(root, tmp_path / "again", settings=settings)
    assert again.counts["captions"] == 4
    caption_data(root, tmp_path / "run", settings=RunSettings())
    assert (folder / "manifest.json").stat().st_mtime_ns == written, "done already"


def test_a_set_without_a_pattern_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        write_image(tmp_path / f"set/good/{number}.png", rng.integers(0, 255, (60, 60, 1), np.uint8))
    with pytest.raises(DataError, match="no repetitive pattern"):
        caption_data(tmp_path / "set", tmp_path / "run", settings=RunSettings())
    assert not (tmp_path / "run/captions").exists()


@pytest.fixture
def scan(tmp_path):
    lines = np.random.default_rng(1).integers(0, 2**16, (40, 6, 3), np.uint16)
    write_image(tmp_path / "lines.png", np.delete(lines, 20, 0))
    counts = np.delete(np.arange(40), 20) * 4
    (tmp_path / "ticks.csv").write_text("ticks\n" + "\n".join(map(str, counts)))
    return tmp_path, lines


@pytest.mark.parametrize("scale", [["--ticks-per-pixel", "4"], ["--pixel-um", "10", "--tick-um", "2.5"]])
def test_a_scan_becomes_an_image_and_a_report(scan, scale):
    folder, lines = scan
    command = ["linescan", str(folder / "lines.png"), str(folder / "ticks.csv"), "--out", str(folder / "out.png")]
    result = CliRunner().invoke(app, [*command, *scale, "fill=9"])
    assert result.exit_code == 0, result.output
    assert "rows 20 to 20: missing_lines (1)" in result.output
    image = read_image(folder / "out.png")
    lines[20] = 9
    np.testing.assert_array_equal(image, lines)
    report = read_json(folder / "out.json")
    assert (report["rows"], report["missing_rows"], report["findings"][0]["kind"]) == (40, [20], "missing_lines")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], SettingsError),
        (["--pixel-um", "10"], SettingsError),
        (["--ticks-per-pixel", "4", "--pixel-um", "10", "--tick-um", "2"], SettingsError),
        (["--ticks-per-pixel", "4", "fils=9"], SettingsError),
        (["--ticks-per-pixel", "0"], DataError),
        (["--ticks-per-pixel", "4", "--out", "{folder}/lines.png"], DataError),
    ],
)
def test_wrong_options_change_nothing(scan, options, error):
    folder, _ = scan
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out = [] if "--out" in options else ["--out", str(folder / "out.png")]
    command = ["linescan", str(folder / "lines.png"), str(folder / "ticks.csv"), *out]
    result = CliRunner().invoke(app, [*command, *(option.format(folder=folder) for option in options)])
    assert isinstance(result.exception, error)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
