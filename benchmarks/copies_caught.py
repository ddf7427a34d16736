"""Whether the gate against copies sees planted copies, and lets bare backgrounds pass, on real training defects.

    python benchmarks/copies_caught.py --run runs/mvtec_bottle

Needs a run that is split. Each training defect is pasted into defect-free training images at its own place, with other
brightness and fresh noise: all of these are copies. The same places without a defect are none. Rows, one per class, go
to `results/copies.jsonl`: share caught, least likeness of a copy, and likeness of bare places without the correction.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import append, origin

from flawsmith.core.geometry import window_around
from flawsmith.core.records import GOOD, Defect, Image, Sample
from flawsmith.core.rng import stream
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.filtering.context import fit_gates
from flawsmith.filtering.copies import likeness, similarities
from flawsmith.filtering.settings import GateSettings

GOODS = 12
PLANTED = 3
MARGIN_PX = 16


def place(image: Image, defect: Defect, good: Image) -> tuple[Image, Image, np.ndarray[Any, Any]] | None:
    """Return the defect's crop, its mask, and the same place of a good image; None where that is too small."""
    left, top, right, bottom = defect.box_xyxy
    size_hw = (int(bottom - top) + 2 * MARGIN_PX, int(right - left) + 2 * MARGIN_PX)
    centre_yx = (top + bottom) / 2, (left + right) / 2
    here = window_around(centre_yx, size_hw, image.shape[:2])
    y, x = (centre_yx[axis] * good.shape[axis] / image.shape[axis] for axis in (0, 1))
    there = window_around((y, x), here.size_hw, good.shape[:2])
    return (here.cut(image), there.cut(good), here.cut(defect.mask)) if there.size_hw == here.size_hw else None


def planted(crop: Image, bare: Image, mask: np.ndarray[Any, Any], rng: np.random.Generator) -> Image:
    """Return the bare crop with the defect's own pixels in it, lit differently and with noise."""
    top = np.iinfo(crop.dtype).max
    lit = crop * rng.uniform(0.8, 1.2) + rng.normal(0, 0.012 * top, crop.shape)
    return np.where(mask[..., None], lit.clip(0, top), bare).astype(crop.dtype)


def measure(run: Path) -> list[dict[str, Any]]:
    """Return one row per class."""
    train = load_catalog(run / "split" / "train.json")
    samples = [load_sample(entry) for entry in train if entry.label != GOOD]
    goods = [load_sample(entry) for entry in train.labelled(GOOD).entries[:GOODS]]
    gates = fit_gates([*samples, *goods], GateSettings(), {entry.id: entry.group for entry in train})
    return [_row(run.name, label, samples, goods, gates) for label in gates.templates]


def _row(name: str, label: str, samples: list[Sample], goods: list[Sample], gates: Any) -> dict[str, Any]:
    rng, templates = stream(0, "copies", label), gates.templates[label]
    copies, bare_places = [], []
    for sample in samples:
        for defect in (each for each in sample.defects if each.label == label):
            for number in rng.integers(len(goods), size=PLANTED):
                found = place(sample.image, defect, goods[number].image)
                if found is not None:
                    crop, bare, mask = found
                    copies.append(likeness(planted(crop, bare, mask, rng), bare, mask, templates).max())
                    bare_places.append(similarities(bare, mask, templates).max())
    limit = 1 - gates.thresholds[label]["not_a_copy"]
    return {
        "name": f"{name} {label}", "planted": len(copies), "limit": round(limit, 3),
        "caught": round(float(np.mean(np.array(copies) > limit)), 3), "least": round(float(min(copies)), 3),
        "bare_uncorrected": round(float(np.median(bare_places)), 3),
        "bare_uncorrected_most": round(float(max(bare_places)), 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    append("copies.jsonl", [{**row, **origin()} for row in measure(parser.parse_args().run)])


if __name__ == "__main__":
    main()
