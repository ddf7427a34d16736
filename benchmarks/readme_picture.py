"""The picture of the README: real defects of the demo set above, synthetic ones below, a column pair per class.

    python benchmarks/readme_picture.py --run runs/demo --out docs/images/real_beside_synthetic.png

Takes the first defects of each class by number, real ones from the training part, synthetic ones as accepted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from flawsmith.core.records import Catalog
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.proof.report.pictures import eight_bit, view_of
from flawsmith.synthesis.produce import open_synthetic

SIDE, GAP, LABEL, PER_CLASS = 150, 6, 22, 3


def tiles(catalog: Catalog, label: str) -> list[Image.Image]:
    """Return tiles of the first defects of a class, one per group."""
    found, groups = [], set()
    for entry in catalog.labelled(label):
        if entry.group in groups or len(found) == PER_CLASS:
            continue
        groups.add(entry.group)
        sample = load_sample(entry)
        mask = next(defect.mask for defect in sample.defects if defect.label == label)
        picture = Image.fromarray(eight_bit(view_of(mask).cut(sample.image)))
        found.append(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    real, made = load_catalog(asked.run / "split" / "train.json"), open_synthetic(asked.run / "generate")
    labels = [label for label in real.defect_labels if len(made.labelled(label))]
    width = len(labels) * (PER_CLASS * (SIDE + GAP) + 2 * GAP)
    sheet = Image.fromarray(np.full((LABEL + 2 * (SIDE + GAP), width, 3), 255, np.uint8))
    pen = ImageDraw.Draw(sheet)
    for number, label in enumerate(labels):
        left = number * (PER_CLASS * (SIDE + GAP) + 2 * GAP)
        pen.text((left, 4), f"{label}: real above, synthetic below", fill=(40, 50, 60))
        for row, catalog in enumerate((real, made)):
            for column, picture in enumerate(tiles(catalog, label)):
                sheet.paste(picture, (left + column * (SIDE + GAP), LABEL + row * (SIDE + GAP)))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(asked.out)


if __name__ == "__main__":
    main()
