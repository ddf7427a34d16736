"""Every generator on the same data, the same seconds of training and the same proof: ours not favoured.

    python benchmarks/generators.py magnetic_tile --out runs/generators
    python benchmarks/generators.py mvtec_bottle --out runs/generators_bottle --only local joint ddpm --seconds 120
    python benchmarks/generators.py demo --out runs/generators_demo --seconds 10 --per-class 6 --steps 40 --seeds 1

The split is made once, few-shot and by groups. Each generator learns for about `--seconds` (the seconds of a step are
probed; one that learns in two rounds gets half for each), makes as many images by the same plan on the same
backgrounds, under the same masks where it takes masks, and passes the same gates. The systems that learn whole pictures
are made small enough, 64 pixels a side, that a processor takes hundreds of steps in that time (`PROCESSOR`). One proof
compares all of them with real images alone on the sealed part. Rows go to `results/generators.jsonl`, one per
generator and budget, losing ones included.

An interrupted comparison goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import append, data_of, origin, settings_of, watched

from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import read_jsonl
from flawsmith.data.loading import load_catalog
from flawsmith.generators.catalogue import GENERATORS
from flawsmith.proof.arms import Arm
from flawsmith.proof.prove import Proof, prove
from flawsmith.recipes.making import family_settings
from flawsmith.recipes.run import run, run_settings
from flawsmith.synthesis.produce import open_synthetic

LOOPS = {
    "local": ("loop",),
    "joint": ("loop",),
    "anomalydiffusion": ("loop", "token_loop"),
    "dualanodiff": ("loop",),
    "ddpm": ("loop",),
    "latent": ("autoencoder.loop", "loop"),
    "copy_paste": (),
    "copy_paste_poisson": (),
    "cutmix": (),
    "perlin": (),
}
"""The training loops of each generator, by their settings."""
PROBE, TRIES = 16, 2
"""Steps by which a loop's seconds a step are probed, and how often: the quickest counts."""
SHORT = ("chain.steps=1000", "chain.schedule=cosine", "chain.prediction=v_prediction", "loop.learning_rate=1e-3")
PROCESSOR = (
    *("ddpm.size_hw=[64,64]", "ddpm.net.widths=[16,32,64]", "ddpm.net.blocks=1", "ddpm.net.attention=[2]"),
    *("latent.size_hw=[64,64]", "latent.net.widths=[48,96]", "latent.net.blocks=1"),
    *("latent.autoencoder.net.widths=[24,48]", "latent.autoencoder.loop.learning_rate=1e-3"),
    "latent.checkpoints.images=0",
    *("dualanodiff.size_hw=[64,64]", "dualanodiff.net.widths=[32,64,128]", "dualanodiff.net.patch=2"),
    *(f"{name}.{each}" for name in ("ddpm", "latent") for each in SHORT),
)
"""What minutes on a processor ask of the systems that draw whole pictures: small networks, chains and learning rates
that learn in a thousand steps. Under those of the glass paper such a network still draws noise, or parts of any
colour. The latent system's looks at its training are off: the others have none."""
SHARED = ("generate.least_share=0", "generate.most_attempts=3", "proof.fewer_groups=[]")


def seconds_of(name: str, base: Path, steps: dict[str, int]) -> float:
    """Return how long a generator takes to fit with so many steps in each loop."""
    settings = run_settings(base, None, [f"{name}.{loop}.steps={count}" for loop, count in steps.items()])
    train = load_catalog(base / "split" / "train.json")
    found = []
    for _ in range(TRIES):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            GENERATORS[name].fit(train, family_settings(settings, name), Path(folder), seed=0)
        found.append(time.perf_counter() - began)
    return min(found)


def steps_for(name: str, base: Path, seconds: float) -> dict[str, int]:
    """Return the steps of each loop that fill the budget, shared evenly among the loops."""
    loops = LOOPS[name]
    few, found = dict.fromkeys(loops, PROBE), {}
    bare = seconds_of(name, base, few) if loops else 0.0
    for loop in loops:
        more = seconds_of(name, base, {**few, loop: 3 * PROBE})
        found[loop] = max(PROBE, round(seconds / len(loops) / max((more - bare) / (2 * PROBE), 1e-3)))
    return found


def made_by(name: str, data: str, base: Path, out: Path, overrides: list[str], seconds: float) -> dict[str, Any]:
    """Fit a generator, make its images and measure them; return what is known before the proof."""
    if (out / "measured.json").is_file():
        return read_json(out / "measured.json") | compared(read_json(out / "quality" / "quality.json"))
    if not out.is_dir():
        shutil.copytree(base, out)
    steps = steps_for(name, base, seconds)
    told = [f"generator={name}", *overrides, *(f"{name}.{loop}.steps={count}" for loop, count in steps.items())]
    _, peak = watched("generate", data, "--out", str(out), "--quiet", *told)
    run(data, out, settings=run_settings(out), until="quality")
    found = {
        "steps": steps,
        "fit_seconds": round(read_json(out / "fit" / "timing.json")["seconds"], 1),
        "generate_seconds": round(read_json(out / "generate" / "timing.json")["seconds"], 1),
        "peak_mb": round(peak),
        **gated(out / "generate"),
    }
    write_json(out / "measured.json", found)
    return found | compared(read_json(out / "quality" / "quality.json"))


def gated(folder: Path) -> dict[str, Any]:
    """Return what the gates said: accepted and all attempts, the share of copies, the masks' mean agreement."""
    rows = read_jsonl(folder / "gates.jsonl")
    reasons = Counter(reason.split(":")[0] for row in rows for reason in row["reasons"])
    obeyed = [score for row in rows if (score := row["birth"]["scores"].get("mask_obeyed")) is not None]
    return {
        "accepted": sum(row["accepted"] for row in rows),
        "attempts": len(rows),
        "copy_rate": round(reasons["not_a_copy"] / max(len(rows), 1), 4),
        "rejected": dict(reasons),
        "mask_agreement": round(float(np.mean(obeyed)), 4) if obeyed else None,
    }


def compared(quality: dict[str, Any]) -> dict[str, Any]:
    """Return the distances of the set by the in-domain network, and the background's error."""
    sets = quality["all"]["sets"]["synthetic"] if "all" in quality else {}
    pictures = [(row.get("pictures") or {}).get("synthetic", {}) for row in quality.get("classes", {}).values()]
    variety = [each["ic_lpips"] for each in pictures if isinstance(each.get("ic_lpips"), float)]
    return {
        **{name: sets.get(name) for name in ("fid", "kid", "kid_error")},
        "ic_lpips": round(float(np.mean(variety)), 4) if variety else None,
        "background_error": quality["background"]["largest_error_outside"],
    }


def proved(base: Path, out: Path, names: list[str], settings: Any) -> Proof:
    """Compare real images alone with real ones and each generator's accepted images."""
    train, val = (load_catalog(base / "split" / f"{part}.json") for part in ("train", "val"))
    made = {name: open_synthetic(out / name / "generate") for name in names}
    arms = {"real": Arm(), **{f"real+{name}": Arm(catalog) for name, catalog in made.items() if len(catalog)}}
    return prove(train, val, base / "split", arms, settings.proof, out / "proof")


def rows_of(proof: Proof, names: list[str], measured: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row per generator, and one for real images alone."""
    table = {row["arm"]: row for row in proof.results["arms"]}
    for name in ("real", *names):
        arm = table.get(name if name == "real" else f"real+{name}")
        metrics = arm["metrics"] if arm else {}
        proven = {metric: metrics.get(metric) for metric in ("image_ap", "pixel_ap")}
        yield {"generator": name, **measured.get(name, {}), **proven, "seeds": arm["seeds"] if arm else 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["magnetic_tile", "mvtec_bottle", "demo"])
    parser.add_argument("settings", nargs="*", help="key=value, for all generators")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(LOOPS), default=list(LOOPS))
    parser.add_argument("--seconds", type=float, default=240, help="of training, for each generator")
    parser.add_argument("--per-class", type=int, default=60, help="images asked for")
    parser.add_argument("--steps", type=int, default=1500, help="of each training in the proof")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_intermixed_args()
    data = data_of(asked.dataset)
    proof = [f"proof.steps={asked.steps}", f"proof.check_every={asked.steps}", f"proof.seeds={asked.seeds}"]
    overrides = [*SHARED, *PROCESSOR, *proof, f"generate.plan.per_class={asked.per_class}", *asked.settings]
    base = asked.out / "base"
    settings = run_settings(base, settings_of(asked.dataset), overrides)
    run(data, base, settings=settings, until="split")
    measured = {name: made_by(name, data, base, asked.out / name, overrides, asked.seconds) for name in asked.only}
    result = proved(base, asked.out, asked.only, settings)
    same = {
        **{"dataset": asked.dataset, "budget_seconds": asked.seconds, "proof_steps": asked.steps},
        **origin("diffusers"),
    }
    of = f"{asked.dataset} {asked.seconds:.0f}s"
    rows = [{"name": f"{of} {row['generator']}", **row, **same} for row in rows_of(result, asked.only, measured)]
    append("generators.jsonl", rows)


if __name__ == "__main__":
    main()
