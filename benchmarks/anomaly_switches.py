"""Which way AnomalyDiffusion's three switches turn its pictures: masked loss, spatial encoder, re-weighting.

    python benchmarks/anomaly_switches.py magnetic_tile --out runs/switches
    python benchmarks/anomaly_switches.py demo --out runs/switches_demo --steps 300 --seeds 2

Everything on, then each switch off alone. Each variant is fitted for the same steps with each seed (re-weighting is of
the sampling: it is switched off on the weights fitted with everything on) and makes as many images by the same plan,
one attempt each, none replaced. Rows, one per variant, go to `results/switches.jsonl`: means over the attempts of how
far the changed pixels agree with the mask asked for and of how visible they are (the gates' scores), the share that
every gate accepts, and each of the three by seed.

An interrupted comparison goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from common import append, data_of, origin, settings_of

from flawsmith.apps.cli.progress import Shown
from flawsmith.core.records import read_jsonl
from flawsmith.recipes.run import run, run_settings

WHOLE = "everything on"
VARIANTS = {
    WHOLE: (),
    "without masked loss": ("anomalydiffusion.masked_loss=false",),
    "without spatial encoder": ("anomalydiffusion.spatial_encoder=false",),
    "without re-weighting": ("anomalydiffusion.sampling.reweighting=false",),
}
SHARED = ("generator=anomalydiffusion", "generate.most_attempts=1", "generate.least_share=0")
SCORES = ("mask_obeyed", "visible")


def measured(folder: Path) -> dict[str, float]:
    """Return what the gates say of all attempts in a folder of generated images."""
    rows = read_jsonl(folder / "gates.jsonl")
    scores = {name: [row["birth"]["scores"].get(name) for row in rows] for name in SCORES}
    means = {name: float(np.mean([each for each in values if each is not None])) for name, values in scores.items()}
    return {**means, "accepted": float(np.mean([row["accepted"] for row in rows]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["magnetic_tile", "mvtec_bottle", "demo"])
    parser.add_argument("settings", nargs="*", help="key=value, for all variants")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600, help="of the first stage; the second takes half as many")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--per-class", type=int, default=20, help="images made")
    asked = parser.parse_args()
    data = data_of(asked.dataset)
    steps = [f"anomalydiffusion.loop.steps={asked.steps}", f"anomalydiffusion.token_loop.steps={asked.steps // 2}"]
    same = [*SHARED, *steps, f"generate.plan.per_class={asked.per_class}", *asked.settings]
    base = asked.out / "base"
    given = run_settings(base, settings_of(asked.dataset), same)
    rows = []
    with Shown() as progress:
        run(data, base, settings=given, until="split", progress=progress)
        for name, change in VARIANTS.items():
            found_by_seed = []
            for seed in range(asked.seeds):
                out = asked.out / f"{name.replace(' ', '_')}-{seed}"
                if not out.is_dir():
                    whole = asked.out / f"{WHOLE.replace(' ', '_')}-{seed}"
                    shutil.copytree(whole if whole.is_dir() else base, out)
                told = run_settings(base, None, [*change, f"seed={seed}", f"generate.plan.seed={seed}"])
                run(data, out, settings=told, until="generate", progress=progress)
                found_by_seed.append(measured(out / "generate"))
            table = {key: [each[key] for each in found_by_seed] for key in (*SCORES, "accepted")}
            rows.append(
                {
                    **{"name": f"{asked.dataset} {name}", "steps": asked.steps, "seeds": asked.seeds},
                    **{key: round(float(np.mean(values)), 4) for key, values in table.items()},
                    **{f"{key}_by_seed": [round(each, 4) for each in values] for key, values in table.items()},
                    **origin(),
                }
            )
    append("switches.jsonl", rows)


if __name__ == "__main__":
    main()
