"""Milliseconds per image and peak memory of `flawsmith check` and `flawsmith split` on very many small images.

    python benchmarks/scale_check.py [--images 100000] [--side 32] [--folder DIR] [--only check] [--dry]

The images are made first, the same for the same numbers: parts of one product, ten pictures of each under other light
and noise, one in fifty a defect with a mask, one in a hundred a byte-for-byte copy of another. Rows
`check_ms_per_image` and `check_peak_mb` (reading, hashing, looking at every image, near-duplicates, the page),
`split_ms_per_image` and `split_peak_mb` (lookalikes joined, hashed, split); the memory is the sum over the process and
its children, sampled every half second. The check is then done once more, killed (SIGKILL) half way and started again:
`resumed_from` is how many images it knew of then, and its files must be the same (else the script fails). With --dry
nothing is written to results/speed.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import append, origin, watched
from scipy.ndimage import gaussian_filter

from flawsmith.core.rng import stream
from flawsmith.data.image_io import write_image, write_mask

FACTS_BYTES = 2900
"""About what is stored of an image while the check is under way."""
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


def measured(stage: str, seconds: float, peak: float, said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a stage."""
    per_image, peak = round(1000 * seconds / said["images"], 3), round(peak, 1)
    found = ((f"{stage}_ms_per_image", per_image, "ms"), (f"{stage}_peak_mb", peak, "MB"))
    return [{"name": name, "value": value, "unit": unit, "ours": value, **said} for name, value, unit in found]


def resumed(data: Path, whole: Path, again: Path, images: int) -> int:
    """Check once more, killed about half way and started again; return how many images were known by then."""
    command = [sys.executable, "-m", "flawsmith", "check", str(data), "--out", str(again), "--quiet"]
    facts = again / ".check.partial" / "facts.jsonl"
    with subprocess.Popen(command) as process:
        while process.poll() is None and not (facts.exists() and facts.stat().st_size > images * FACTS_BYTES / 2):
            time.sleep(0.1)
        process.kill()
    if process.returncode != -signal.SIGKILL:
        raise SystemExit(f"the check ended with {process.returncode} before it was killed: nothing was shown")
    known = facts.read_bytes().count(b"\n")
    subprocess.run(command, check=True)
    files = [json.loads((run / "check/manifest.json").read_text())["files"] for run in (whole, again)]
    if files[0] != files[1]:
        raise SystemExit(f"a check that was killed and resumed ends otherwise: {files}")
    return known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32, help="pixels")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--only", choices=("check", "split"), help="rows of this stage alone; both are done for split")
    parser.add_argument("--dry", action="store_true", help="print the rows, write none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        data, out = Path(folder) / "data", Path(folder) / "run"
        began = time.time()
        made(data, chosen.images, chosen.side)
        print(f"{chosen.images} images made in {time.time() - began:.0f} s", flush=True)
        rows: list[dict[str, Any]] = []
        for stage in ("check",) if chosen.only == "check" else ("check", "split"):
            seconds, peak = watched(stage, str(data), "--out", str(out), "--quiet")
            counts = json.loads((out / stage / "manifest.json").read_text())["counts"]
            said = {"images": chosen.images, "side_px": chosen.side, "cores": os.cpu_count(), "counts": counts}
            print(f"{stage}: {seconds:.0f} s, {peak:.0f} MB", flush=True)
            if stage == "check" and chosen.only != "split":
                said["resumed_from"] = resumed(data, out, Path(folder) / "again", chosen.images)
                print(f"killed when {said['resumed_from']} images were known, resumed: the same files", flush=True)
            if chosen.only in (stage, None):
                rows += measured(stage, seconds, peak, said)
    if chosen.dry:
        print(*rows, sep="\n")
    else:
        append("speed.jsonl", [{**row, "peer": None, **origin("scipy", "pillow", "imagecodecs")} for row in rows])


if __name__ == "__main__":
    main()
