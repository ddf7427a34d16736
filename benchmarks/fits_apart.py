"""What one fit of a generator more or less changes in the verdict: finished runs that differ in nothing else.

    python benchmarks/fits_apart.py --name demo --runs runs/demo runs/demo_longer

Give runs of one data set and split whose generator was fitted with another seed, or for another number of steps. Rows,
one per run, go to `results/fits.jsonl`: the steps, pixel AP of every arm, and the difference to real images alone with
its interval, which knows the test's groups and the inspector's seeds, but not the generator's. The commit of a row is
that of the code that read the runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import append, origin

from flawsmith.core.files import read_json
from flawsmith.recipes.run import run_settings


def row(name: str, folder: Path) -> dict[str, Any]:
    """Return what a finished run found."""
    results, settings = read_json(folder / "prove" / "results.json"), run_settings(folder)
    steps = settings.local.loop.steps
    return {
        "name": f"{name}, seed {settings.seed}, {steps} steps of fitting",
        "steps": steps,
        "seed": settings.seed,
        "pixel_ap": {arm["arm"]: arm["metrics"]["pixel_ap"]["mean"] for arm in results["arms"]},
        "against_base": results["against_base"],
        "verdict": results["verdict"]["verdict"],
        **origin(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the data set")
    parser.add_argument("--runs", nargs="+", type=Path, required=True)
    asked = parser.parse_args()
    append("fits.jsonl", [row(asked.name, folder) for folder in asked.runs])


if __name__ == "__main__":
    main()
