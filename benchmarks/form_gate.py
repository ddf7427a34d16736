"""How wide the gate `mask_plausible` should be: real masks that it turns away, and noise that it lets through.

    python benchmarks/form_gate.py --out runs/forms
    python benchmarks/form_gate.py --out runs/forms --noise runs/generators/ddpm runs/generators/latent

The gate lets a mask that nobody asked for differ from the range of the training masks by a factor. From the part of
each data set that is not sealed, some groups of a class are drawn again and again as the training masks; those of
another group should pass. `--noise` names runs whose generator had learnt too little to draw anything but noise: none
of the masks read off its pictures should pass the range of its own training part. Rows, one per data set and number of
groups, go to `results/forms.jsonl`: shares that pass, by factor.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import append, data_of, origin, settings_of

from flawsmith.core.records import Catalog, Mask
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.filtering.forms import Forms
from flawsmith.recipes.run import run, run_settings
from flawsmith.synthesis.produce import open_synthetic

FACTORS = (1.5, 2.0, 3.0, 4.0, 8.0)
GROUPS = (3, 5, 10)
Masks = dict[str, dict[str, list[Mask]]]
"""The masks of every class by group."""


def masks_of(*parts: Catalog) -> Masks:
    """Return all defect masks of some parts of a data set."""
    found: Masks = {}
    for entry in (entry for part in parts for entry in part if entry.masks):
        for defect in load_sample(entry).defects:
            if defect.mask.any():
                found.setdefault(defect.label, {}).setdefault(entry.group, []).append(defect.mask)
    return found


def real_pass(groups: dict[str, list[Mask]], count: int, draws: int) -> list[float]:
    """Return how near the masks of other groups lie to the range of `count` groups, over many draws of those."""
    names, rng, fits = sorted(groups), np.random.default_rng(0), []
    for _ in range(draws):
        order = [names[place] for place in rng.permutation(len(names))]
        forms = Forms.of(mask for name in order[:count] for mask in groups[name])
        fits += [forms.fit(mask) for mask in groups[order[count]]]
    return fits


def shares(fits: list[float]) -> dict[str, float]:
    """Return the share that passes, by factor."""
    return {f"{factor:g}": round(float(np.mean([fit >= 1 / factor for fit in fits])), 4) for factor in FACTORS}


def real_rows(dataset: str, out: Path, draws: int) -> list[dict[str, Any]]:
    """Return a row per number of groups."""
    settings = run_settings(out, settings_of(dataset), ["split.shots=null", "split.method=grouped"])
    run(data_of(dataset), out, settings=settings, until="split")
    found = masks_of(*(load_catalog(out / "split" / f"{part}.json") for part in ("train", "val")))
    rows = []
    for count in GROUPS:
        fits = {label: real_pass(groups, count, draws) for label, groups in found.items() if len(groups) > count}
        if fits:
            by_class = {label: shares(each) for label, each in fits.items()}
            mean = {name: round(float(np.mean([each[name] for each in by_class.values()])), 4) for name in shares([1])}
            rows.append({"name": f"{dataset} {count} groups", "real_passes": mean, "by_class": by_class, **origin()})
    return rows


def noise_row(folder: Path) -> dict[str, Any]:
    """Return the row of a run whose generator draws noise."""
    forms = {
        label: Forms.of(mask for masks in groups.values() for mask in masks)
        for label, groups in masks_of(load_catalog(folder / "split" / "train.json")).items()
    }
    made = masks_of(open_synthetic(folder / "generate"))
    fits = [forms[label].fit(mask) for label, groups in made.items() for masks in groups.values() for mask in masks]
    return {"name": f"noise {folder.name}", "noise_passes": shares(fits), "masks": len(fits), **origin()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noise", type=Path, nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=300)
    asked = parser.parse_args()
    rows = [
        row
        for name in ("magnetic_tile", "mvtec_bottle", "demo")
        for row in real_rows(name, asked.out / name, asked.draws)
    ]
    append("forms.jsonl", [*rows, *(noise_row(folder) for folder in asked.noise)])


if __name__ == "__main__":
    main()
