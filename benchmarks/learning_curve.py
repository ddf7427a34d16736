"""How much an inspector learns from how many groups of real defects: the learning curve of real images alone.

    python benchmarks/learning_curve.py --run runs/magnetic_tile --groups 3 5

Needs a finished run. Its trainings on all groups are taken over, those on fewer are added in a folder beside it, seed
by seed, and all are tested on the sealed part. Rows go to `results/curve.jsonl`: groups of real defects per class (mean
over classes and seeds), metrics with 95 % intervals.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from common import append, origin

from flawsmith.data.loading import load_catalog
from flawsmith.proof.arms import Arm
from flawsmith.proof.prove import prove
from flawsmith.recipes.run import run_settings
from flawsmith.synthesis.produce import open_synthetic

SHOWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--groups", type=int, nargs="+", required=True)
    parser.add_argument("--name", help="of the data set, where it is not the folder's")
    asked = parser.parse_args()
    run, name = asked.run, asked.name or asked.run.name
    settings = run_settings(run).proof.model_copy(update={"fewer_groups": tuple(asked.groups)})
    out = run.with_name(f"{run.name}_curve")
    if not out.is_dir():
        shutil.copytree(run / "prove" / "units", out / "units")
    arms = {"real": Arm(), "real+synthetic": Arm(open_synthetic(run / "generate"))}
    train, val = (load_catalog(run / "split" / f"{part}.json") for part in ("train", "val"))
    results = prove(train, val, run / "split", arms, settings, out).results
    same = {"dataset": name, "inspector": settings.inspector, "steps": results["steps"], **origin()}
    rows = [
        {
            **{"name": f"{name} {arm['arm']}", "arm": arm["arm"], "seeds": arm["seeds"], **same},
            "groups_per_class": round(results["groups_per_class"][arm["arm"]], 2),
            **{metric: arm["metrics"][metric] for metric in SHOWN},
        }
        for arm in results["arms"]
        if arm["arm"] in results["groups_per_class"]
    ]
    append("curve.jsonl", rows)


if __name__ == "__main__":
    main()
