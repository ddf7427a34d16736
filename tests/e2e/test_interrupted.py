"""SIGKILL in every stage, then the same command again: the outputs equal those of an undisturbed run."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import TINY

STAGES = (
    "demo_data",
    "check",
    "split",
    "kit",
    "fit",
    "generate",
    "filter",
    "export",
    "quality",
    "control_copy_paste",
    "prove",
    "report",
)
CARD = "report/model_card.md"
COMMAND = [sys.executable, "-m", "flawsmith", "run", "demo", "--quiet"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def outputs(folder: Path) -> dict[str, bytes]:
    """The content of every file but those that hold seconds or hashes of paths; the run's own path is left out, and so
    are the hashes that the model card repeats from the manifests.
    """
    skip = ("timing.json", "manifest.json", "report.html")
    here = str(folder.resolve()).encode()
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(here, b"RUN")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in skip
    }
    return {**found, CARD: re.sub(rb"\b[0-9a-f]{64}\b", b"HASH", found[CARD])}


def start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, "--out", str(out), *TINY], env=ENVIRONMENT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert start(out).wait() == 0
    return out


def kill_inside(process: subprocess.Popen[bytes], partial: Path, delay_s: float) -> bool:
    """Kill the process a moment after a stage has begun; say whether the stage was still unfinished."""
    while process.poll() is None and not partial.is_dir():
        time.sleep(0.002)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return partial.is_dir()


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_with_the_same_files(undisturbed, tmp_path):
    out = tmp_path / "run"
    inside = []
    for stage, delay_s in zip(STAGES, (0.05, 0.0, 0.0, 0.0, 0.6, 0.3, 0.0, 0.0, 0.3, 0.2, 1.5, 0.0), strict=True):
        if kill_inside(start(out), out / f".{stage}.partial", delay_s):
            inside.append(stage)
    assert start(out).wait() == 0
    again, once = outputs(out), outputs(undisturbed)
    assert again.keys() == once.keys()
    assert [name for name in once if again[name] != once[name]] == []
    assert {"fit", "generate", "prove"} <= set(inside), f"killed inside {inside} only: the delays need another look"


def test_a_second_run_changes_nothing(undisturbed):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    assert start(undisturbed).wait() == 0
    after = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    before.pop(undisturbed / "settings.yaml"), after.pop(undisturbed / "settings.yaml")
    assert after == before


def test_remake_gives_the_same_bytes(undisturbed, tmp_path):
    from flawsmith import remake

    images = sorted((undisturbed / "generate" / "images").rglob("*.png"))[:4]
    images += sorted((undisturbed / "control_copy_paste" / "images").rglob("*.png"))[:2]
    assert len(images) == 6, "the tiny run accepted too few images to remake"
    for image in images:
        again = remake(image, tmp_path / image.name)
        assert again.read_bytes() == image.read_bytes()
