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
from common import append, commit, machine, versions


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
    process = subprocess.Popen([sys.executable, "-m", "flawsmith", "run", "demo", "--out", str(out)])
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
    origin = {"commit": commit(), "machine": machine(), "versions": versions()}
    append("speed.jsonl", [
        {"name": "demo_seconds", "value": round(seconds, 1), "unit": "s", "ours": round(seconds, 1), "peer": None, **origin},
        {"name": "demo_peak_mb", "value": round(peak, 1), "unit": "MB", "ours": round(peak, 1), "peer": None, **origin},
    ])  # fmt: skip


if __name__ == "__main__":
    main()
