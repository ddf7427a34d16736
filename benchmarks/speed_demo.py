"""Seconds and peak memory of the run inside `make demo`, in a fresh folder.

    python benchmarks/speed_demo.py --out runs/demo

Rows `demo_seconds` and `demo_peak_mb` (the sum over the process and its children, sampled every half second).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from common import append, origin, watched

EXAMPLE = Path(__file__).parent.parent / "examples" / "demo.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    seconds, peak = watched("run", "demo", "--out", str(out), "-c", str(EXAMPLE))
    measured = (("demo_seconds", seconds, "s"), ("demo_peak_mb", peak, "MB"))
    rows = [
        {"name": name, "value": round(value, 1), "unit": unit, "ours": round(value, 1)}
        for name, value, unit in measured
    ]
    append("speed.jsonl", [{**row, "peer": None, **origin()} for row in rows])


if __name__ == "__main__":
    main()
