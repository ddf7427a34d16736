"""Milliseconds per image and peak memory of `flawsmith check` and `flawsmith split` on very many small images.

    python benchmarks/scale_check.py [--images 100000] [--side 32] [--folder DIR] [--dry]

The images are made first, the same for the same numbers: parts of one product, ten pictures of each under other light
and noise, one in fifty a defect with a mask, one in a hundred a byte-for-byte copy of another. Rows
`check_ms_per_image` and `check_peak_mb` (reading, hashing, looking at every image, near-duplicates, the page),
`split_ms_per_image` and `split_peak_mb` (lookalikes joined, hashed, split); the memory is the sum over the process and
its children, sampled every half second. With --dry nothing is written to results/speed.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from common import append, origin, watched
from scipy.ndimage import gaussian_filter

from flawsmith.core.rng import stream
from flawsmith.data.image_io import write_image, write_mask

PER_PART, DEFECT_EVERY, COPY_EVERY, PER_FOLDER = 10, 50, 100, 5000


def made(root: Path, images: int, side: int) -> None:
    """Write the data set: good/N/*.png, scratch/*.png, masks/scratch/*.png and groups.csv."""
    shared = gaussian_filter(stream(0, "product").normal(size=(side, side)), 3)
    rows, last = ["file,group"], b""
    for number in range(images):
        rng = stream(0, "image", number)
        if number % PER_PART == 0:
            part = gaussian_filter(stream(0, "part", number).normal(size=(side, side)), 1)
        pixels = 110 + 200 * shared + 60 * part + rng.uniform(-20, 20) + rng.normal(size=(side, side))
        bad = number % DEFECT_EVERY == 7
        name = f"scratch/{number:06}.png" if bad else f"good/{number // PER_FOLDER}/{number:06}.png"
        if bad:
            mask = np.zeros((side, side), bool)
            row = int(rng.integers(2, side - 4))
            mask[row : row + 2, 3 : side - 3] = True
            pixels[mask] -= 60
            write_mask(root / "masks" / name, mask)
        if number % COPY_EVERY == 11:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(last)
        else:
            write_image(root / name, np.clip(pixels, 0, 255).astype(np.uint8)[..., None])
        last = (root / name).read_bytes()
        rows.append(f"{name},part-{number // PER_PART}")
    (root / "groups.csv").write_text("\n".join(rows) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32, help="pixels")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--dry", action="store_true", help="print the rows, write none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        data, out = Path(folder) / "data", Path(folder) / "run"
        began = time.time()
        made(data, chosen.images, chosen.side)
        print(f"{chosen.images} images made in {time.time() - began:.0f} s", flush=True)
        rows = []
        for stage in ("check", "split"):
            seconds, peak = watched(stage, str(data), "--out", str(out), "--quiet")
            counts = json.loads((out / stage / "manifest.json").read_text())["counts"]
            per_image = round(1000 * seconds / chosen.images, 3)
            said = {"images": chosen.images, "side_px": chosen.side, "cores": os.cpu_count(), "counts": counts}
            rows.append({"name": f"{stage}_ms_per_image", "value": per_image, "unit": "ms", "ours": per_image, **said})
            rows.append(
                {"name": f"{stage}_peak_mb", "value": round(peak, 1), "unit": "MB", "ours": round(peak, 1), **said}
            )
    if chosen.dry:
        print(*rows, sep="\n")
    else:
        append("speed.jsonl", [{**row, "peer": None, **origin("scipy", "pillow", "imagecodecs")} for row in rows])


if __name__ == "__main__":
    main()
