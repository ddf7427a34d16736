"""What helped the small inspector and what did not, on real images of the training and validation part alone.

    python benchmarks/inspector_choices.py --run runs/magnetic_tile

Needs a run that is split. The groups of each class are dealt into two halves; each variant learns from one and is
looked at on the other, both ways round. The sealed test part is never opened. Rows go to `results/inspector.jsonl`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import append, origin

from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.loading import load_catalog
from flawsmith.inspectors import INSPECTORS
from flawsmith.proof.work import checked, look

VARIANTS: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "focal loss, gamma 2": {"focal_gamma": 2.0},
    "cycles of half the length": {"cycle": 500},
    "stronger relighting": {"brightness": 0.25, "contrast": 0.3},
    "pixel unshuffle 2": {"patch": 2},
    "crops as they are": {"symmetry": "none"},
    "all eight views": {"symmetry": "square"},
    "half as many crops of 96 px": {"crop": 96, "batch": 8},
    "half the learning rate": {"learning_rate": 1e-3},
}
GOOD_CHECKED = 60


def halves(catalog: Catalog) -> tuple[list[Entry], list[Entry]]:
    """Deal the groups of each class alternately into two halves."""
    groups: dict[str, list[str]] = {}
    for entry in catalog:
        known = groups.setdefault(entry.label, [])
        if entry.group not in known:
            known.append(entry.group)
    order = {(label, group): n for label, names in groups.items() for n, group in enumerate(sorted(names))}
    parts = [[entry for entry in catalog if order[entry.label, entry.group] % 2 == half] for half in (0, 1)]
    return parts[0], parts[1]


def measure(name: str, run: Path, options: dict[str, Any], steps: int) -> dict[str, Any]:
    """Train one variant on either half and return its row."""
    train = load_catalog(run / "split" / "train.json")
    both = train.with_entries([*train, *load_catalog(run / "split" / "val.json")])
    one, other = halves(both)
    family, found, took = INSPECTORS["unet_small"], [], 0.0
    settings = family.settings(**{"steps": steps, "cycle": steps, **options})
    for seed, (learnt, held) in enumerate(((one, other), (other, one))):
        began = time.time()
        with tempfile.TemporaryDirectory() as folder:
            course = family.course(both.with_entries(learnt), None, settings, seed=seed)
            inspector = course.advance(steps, Path(folder))
        took += time.time() - began
        found.append(look(inspector, checked(both.with_entries(held), GOOD_CHECKED), steps))
    means = {metric: round(float(np.mean([each[metric] for each in found])), 4) for metric in ("image_ap", "pixel_ap")}
    kept = sum(entry.label != GOOD for entry in both)
    return {"name": name, "options": options, "steps": steps, "seconds": round(took, 1), "defects": kept, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    same = {"dataset": asked.run.name, **origin()}
    for name in asked.only:
        append("inspector.jsonl", [{**measure(name, asked.run, VARIANTS[name], asked.steps), **same}])


if __name__ == "__main__":
    main()
