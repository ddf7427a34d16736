"""What the local generator paints under other sampling settings: one change at a time, the same weights for each.

    python benchmarks/sampling_choices.py mvtec_bottle --run runs/mvtec_bottle --out runs/sampling_mvtec_bottle

Needs a run that is fitted. Each variant makes images by the same plan from the same seeds; kept are the gates' counts,
the distance to real training defects (KID on features of an in-domain network) and the variety around them (IC-LPIPS).
Nothing sealed is looked at. Rows go to `results/sampling.jsonl`.

An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from common import append, data_of, origin
from generators import compared, gated

from flawsmith.core.files import read_json
from flawsmith.recipes.run import run, run_settings

VARIANTS = {
    "as shipped": [],
    "from noise alone": ["begin=noise"],
    "example_noise 2": ["example_noise=2"],
    "example_noise 8, 10 steps": ["example_noise=8", "refine_steps=10"],
    "freedom 1": ["freedom=1"],
    "freedom 4": ["freedom=4"],
    "freedom 8": ["freedom=8"],
    "10 steps": ["refine_steps=10"],
    "detail_noise 0.3": ["detail_noise=0.3"],
    "detail_noise 0.6": ["detail_noise=0.6"],
    "guidance 1.5": ["guidance=1.5"],
}
UPSTREAM = ("check", "split", "kit", "fit")


def measured(data: str, source: Path, out: Path, changes: list[str], per_class: int) -> dict[str, Any]:
    """Make images with the weights of a run under changed sampling, and return how they fare."""
    if not out.is_dir():
        out.mkdir(parents=True)
        shutil.copy(source / "settings.yaml", out)
        for stage in UPSTREAM:
            shutil.copytree(source / stage, out / stage)
    told = [f"generate.plan.per_class={per_class}", *(f"local.sampling.{change}" for change in changes)]
    settings = run_settings(out, None, told)
    run(data, out, settings=settings, until="quality")
    quality = read_json(out / "quality" / "quality.json")
    by_class = {label: row["sets"]["synthetic"]["kid"] for label, row in quality["classes"].items()}
    return {**gated(out / "generate"), **compared(quality), "kid_by_class": by_class}


def main() -> None:
    """Measure every variant that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["magnetic_tile", "mvtec_bottle"])
    parser.add_argument("--run", type=Path, required=True, help="a run that is fitted")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--per-class", type=int, default=30, help="images asked for")
    asked = parser.parse_args()
    data, of_run = data_of(asked.dataset), run_settings(asked.run)
    steps, groups = of_run.local.loop.steps, of_run.split.shots or "all"
    for name in asked.only:
        out = asked.out / name.replace(" ", "_").replace(",", "")
        row = measured(data, asked.run, out, VARIANTS[name], asked.per_class)
        of = {"variant": name, "dataset": asked.dataset, "groups": groups, "steps": steps, **row, **origin()}
        append("sampling.jsonl", [{"name": f"{asked.dataset} {groups}, {steps} steps, {name}", **of}])
        print(name, row, flush=True)


if __name__ == "__main__":
    main()
