"""How synthetic images are best mixed in: measured on a run's training and validation part alone.

    python benchmarks/mixing_choices.py --run runs/magnetic_tile --seeds 0 1 2
    python benchmarks/mixing_choices.py --run runs/magnetic_tile --only "real alone" "as shipped"

Needs a run whose synthetic images are made (`flawsmith filter` makes them). Every variant trains the run's
inspector for its steps on the training part with those images, and is looked at on the validation part. The sealed
test part is never opened. Rows go to `results/mixing.jsonl`, one per variant, with a value per seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import append, origin

from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.data.loading import load_catalog
from flawsmith.inspectors import INSPECTORS
from flawsmith.proof.work import checked, look
from flawsmith.recipes.run import run_settings
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.produce import open_synthetic

ALONE = "real alone"
VARIANTS: dict[str, dict[str, Any]] = {
    ALONE: {},
    "as shipped": {},
    "no unpainted twins": {"unpainted": False},
    "synthetic to the end": {"real_last": 0.0},
    "neither": {"unpainted": False, "real_last": 0.0},
    "half of the defects synthetic": {"synthetic_share": 0.5},
}


def measure(name: str, run: Path, settings: RunSettings, seed: int) -> dict[str, Any]:
    """Train one variant and return what the validation part says."""
    proof = settings.proof
    train, val = (load_catalog(run / "split" / f"{part}.json") for part in ("train", "val"))
    synthetic: Catalog | None = None if name == ALONE else open_synthetic(run / "generate")
    family = INSPECTORS[proof.inspector]
    shared = {"synthetic_share": proof.synthetic_share, "cycle": proof.check_every, "steps": proof.steps}
    options = family.settings(**{**shared, **proof.inspector_options, **VARIANTS[name]})
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        course = family.course(train, synthetic, options, seed=derive_seed(seed, "proof", "unit"))
        inspector = course.advance(proof.steps, Path(folder))
    found = look(inspector, checked(val, proof.good_checked), proof.steps)
    return {"image_ap": found["image_ap"], "pixel_ap": found["pixel_ap"], "seconds": round(time.time() - began)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    settings = run_settings(asked.run)
    for name in asked.only:
        rows = [measure(name, asked.run, settings, seed) for seed in asked.seeds]
        columns = {key: [round(row[key], 4) for row in rows] for key in rows[0]}
        same = {"dataset": asked.run.name, "steps": settings.proof.steps, "seeds": asked.seeds, **origin()}
        append("mixing.jsonl", [{"name": name, "options": VARIANTS[name], **columns, **same}])


if __name__ == "__main__":
    main()
