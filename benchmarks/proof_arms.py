"""Every arm of the proof on few real defects: rows for `results/proof.jsonl`, losing arms included.

    python benchmarks/proof_arms.py magnetic_tile --groups 3 --out runs/arms_magnetic_tile_3
    python benchmarks/proof_arms.py mvtec_bottle --groups 5 --out runs/arms_mvtec_bottle_5 'controls=[copy_paste]'

At most so many groups per class are learnt from, those for validation included; what else may be learnt from is set
aside for the ceiling, so that the sealed images are the same for every number of groups. In magnetic_tile frayed rims
take part, too; ten groups of each class are all there is, so nothing is set aside and real images alone are the
ceiling: `--groups 10 split.surplus=test 'arms=[augmented,unfiltered,synthetic_only]'`. So many trainings are shorter
than those of `proof_real.py` (`SHORTER`): on mvtec_bottle real images alone reach a pixel AP of .51, .65, .67 and .64
on the spare images of the smallest budget after 400, 600, 800 and 1,500 steps (one training each).
Settings are otherwise those of `settings/NAME.yaml`; `key=value` goes before them. Given again with more arms,
controls or seeds, only what is missing is trained. The rows carry `"study": "all arms"`; the verdict goes to
`results/arms.jsonl`, beside the seconds of every stage.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import append, data_of, origin, settings_of
from proof_real import replace, rows, stage_seconds

from flawsmith.apps.cli.progress import Shown
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.run import run
from flawsmith.recipes.settings import RunSettings

STUDY = "all arms"
SHOWN = ("pixel_ap", "pixel_macro_ap", "image_ap")
KEPT = ("against_best", "against_base", "ceilings", "test", "pixel_ap_of_class")
CLASSES = {"magnetic_tile": ["data.classes=[Blowhole,Break,Crack,Fray]"]}
SHORTER = {
    "magnetic_tile": (
        *("proof.steps=1500", "proof.check_every=1500"),
        *("local.loop.steps=1000", "generate.plan.per_class=60"),
    ),
    "mvtec_bottle": (
        *("proof.steps=600", "proof.check_every=600"),
        *("local.loop.steps=1000", "generate.plan.per_class=60"),
    ),
}
ARMS = (
    *("split.method=grouped", "split.surplus=spare", "arms=[all_real,augmented,unfiltered,synthetic_only]"),
    "controls=[copy_paste,copy_paste_poisson,perlin,cutpaste,cutmix]",
)


def estimate(found: dict[str, float]) -> list[float]:
    """Return a metric's mean and 95 % interval, rounded."""
    return [round(found[each], 4) for each in ("mean", "low", "high")]


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict, the differences it rests on, and every arm's mean and 95 % interval."""
    arms = {arm["arm"]: {name: estimate(arm["metrics"][name]) for name in SHOWN} for arm in results["arms"]}
    said = {name: results["verdict"][name] for name in ("verdict", "sentence")}
    return {**said, "arms": arms, **{name: results[name] for name in KEPT}}


def spent(folder: Path) -> dict[str, Any]:
    """Return how many samples were made of how many attempts, the seconds of every stage's last run, and those of all
    trainings and tests: one core's, although two were at it.
    """
    counts = read_json(folder / "generate" / "manifest.json")["counts"]
    units = [read_json(file)["seconds"] for file in sorted((folder / "prove" / "units").glob("*/timing.json"))]
    trained = {"count": len(units), "core_seconds": round(sum(units))}
    return {"generated": counts, "seconds": stage_seconds(folder), "trainings": trained}


def main() -> None:
    """Run, and keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["magnetic_tile", "mvtec_bottle"])
    parser.add_argument("--groups", type=int, required=True, help="most groups per class to learn from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("settings", nargs="*", help="key=value")
    asked = parser.parse_intermixed_args()
    told = [
        *ARMS,
        *CLASSES.get(asked.dataset, []),
        *SHORTER[asked.dataset],
        f"split.shots={asked.groups}",
        *asked.settings,
    ]
    settings = resolve(RunSettings, settings_of(asked.dataset), told)
    with Shown() as progress:
        done = run(data_of(asked.dataset), asked.out, settings=settings, progress=progress)
    found: list[dict[str, Any]] = rows(done, asked.dataset, asked.groups, settings.proof.inspector)
    replace("proof.jsonl", [{**row, "study": STUDY} for row in found])
    append(
        "arms.jsonl",
        [{"name": f"{asked.dataset} {asked.groups}", **summary(done.results), **spent(asked.out), **origin()}],
    )
    print(f"{done.verdict}\nreport {done.report}")


if __name__ == "__main__":
    main()
