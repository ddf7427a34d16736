"""What benchmarks share: what every row carries, the file it is appended to, and a process that is watched."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"


def data_of(dataset: str) -> str:
    """Return where a data set's photographs lie, in FLAWSMITH_DATA (default ../shared/data); `demo` is built in."""
    found = os.environ.get("FLAWSMITH_DATA", Path(__file__).parents[2] / "shared" / "data")
    return dataset if dataset == "demo" else str(Path(found) / dataset)


def settings_of(dataset: str) -> Path | None:
    """Return the file of a data set's settings, None where the defaults do."""
    file = Path(__file__).parent / "settings" / f"{dataset}.yaml"
    return file if file.is_file() else None


def commit() -> str:
    """Return the commit of the code that is measured, marked when the tree is not clean."""
    here = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "../src"], cwd=here, capture_output=True, text=True
    ).stdout.strip()
    return found + ("+changes" if changed else "")


def machine() -> str:
    """Return processor, cores used and memory."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return f"{cpu}, {os.cpu_count()} cores"


def versions(*names: str) -> dict[str, str]:
    """Return the versions of the packages that matter for a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy", *names)}}


def origin(*names: str) -> dict[str, Any]:
    """Return commit, machine and versions: what every row carries."""
    return {"commit": commit(), "machine": machine(), "versions": versions(*names)}


def write_rows(file: str, rows: list[dict[str, Any]]) -> None:
    """Write a results file."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / file).write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def rows_in(file: str) -> list[dict[str, Any]]:
    """Return the rows of a results file, none where there is no such file yet."""
    path = RESULTS / file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(file: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to a results file, replacing earlier rows of the same name, and print them."""
    names = {row.get("name") for row in rows if "name" in row}
    kept = [row for row in rows_in(file) if row.get("name") not in names or not names]
    write_rows(file, [*kept, *rows])
    for row in rows:
        print(json.dumps(row))


def watched(*command: str) -> tuple[float, float]:
    """Run flawsmith in a process of its own and return its seconds and peak MB, sampled every half second."""
    began, peak = time.time(), 0.0
    process = subprocess.Popen([sys.executable, "-m", "flawsmith", *command])
    seen = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, _memory_mb(seen))
        except psutil.Error:
            break
        time.sleep(0.5)
    if process.wait() != 0:
        raise SystemExit(f"flawsmith {command[0]} failed")
    return time.time() - began, peak


def _memory_mb(process: psutil.Process) -> float:
    """Return the proportional memory of a process and its children (shared pages counted once)."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_full_info().pss / 2**20
        except (psutil.Error, AttributeError):
            continue
    return total
