"""Seconds and peak memory of the run inside `make demo`, in a fresh folder.

    python benchmarks/speed_demo.py --out runs/demo

Rows `demo_seconds` and `demo_peak_mb` (the sum over the process and its children, sampled every half second).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from common import append, origin

EXAMPLE = Path(__file__).parent.parent / "examples" / "demo.yaml"


def memory_mb(process: psutil.Process) -> float:
    """Return the proportional memory of a process and its children (shared pages counted once)."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_full_info().pss / 2**20
        except (psutil.Error, AttributeError):
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    began, peak = time.time(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "flawsmith", "run", "demo", "--out", str(out), "-c", str(EXAMPLE)]
    )
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, memory_mb(watched))
        except psutil.Error:
            break
        time.sleep(0.5)
    if process.wait() != 0:
        raise SystemExit("the demo failed")
    seconds = time.time() - began
    measured = (("demo_seconds", seconds, "s"), ("demo_peak_mb", peak, "MB"))
    rows = [
        {"name": name, "value": round(value, 1), "unit": unit, "ours": round(value, 1)}
        for name, value, unit in measured
    ]
    append("speed.jsonl", [{**row, "peer": None, **origin()} for row in rows])


if __name__ == "__main__":
    main()
