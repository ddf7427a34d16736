"""Labelled defect images per second against the glass paper's setting, and cost against the camera's resolution.

    python benchmarks/speed_sampling.py --run runs/demo

`--run` is a finished run whose generator paints here (its data set's class shapes and sizes). Rows:
`sampling_vs_ddpm14000`, `sampling_vs_ddim50`: our accepted 256 px images per second (planned, painted, composited,
judged; reading and writing apart) over images per second of diffusers' 113.7 M UNet2DModel at 128 px with 14,000
ancestral DDPM steps (time per step measured, scaled) and with 50 DDIM steps (measured, scaled from 5).
`resolution_time_ratio`, `resolution_extra_mb`: the same defects on 2448 x 2048 and on 256 x 256 backgrounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from common import append, origin

from flawsmith.core.records import Catalog, Entry
from flawsmith.data.image_io import write_image
from flawsmith.data.loading import image_sha256, load_sample
from flawsmith.recipes.making import workshop
from flawsmith.recipes.route import Route
from flawsmith.recipes.run import run_settings
from flawsmith.synthesis import make
from flawsmith.synthesis.plan import orders

IMAGES = 48


def backgrounds(run: Path, size_hw: tuple[int, int], folder: Path) -> Catalog:
    """Return good images of the run's own kind at another size, mirrored to fill it."""
    shop = workshop(Route("", run, run_settings(run)), "local", run / "fit" / "model")
    entries = []
    for number, entry in enumerate(shop.backgrounds.entries[:8]):
        image = load_sample(entry).image
        missing = [max(0, wanted - have) for wanted, have in zip(size_hw, image.shape, strict=False)]
        grown = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")[: size_hw[0], : size_hw[1]]
        path = folder / f"{size_hw[0]}_{number}.png"
        write_image(path, grown)
        entries.append(Entry(f"{size_hw[0]}/{number}", path, "good", str(number)))
    return Catalog("backgrounds", folder, "benchmark", tuple(entries))


def measure(run: Path, size_hw: tuple[int, int]) -> dict[str, float]:
    """Return seconds per image, share accepted and peak memory of making images on backgrounds of one size."""
    with tempfile.TemporaryDirectory() as folder, reading_apart() as reading:
        shop = workshop(Route("", run, run_settings(run)), "local", run / "fit" / "model")
        shop = dataclasses.replace(shop, backgrounds=backgrounds(run, size_hw, Path(folder)))
        plan = orders(dict.fromkeys(shop.kit.bank.labels, -(-IMAGES // len(shop.kit.bank.labels))), 1)[:IMAGES]
        list(shop.make(plan[:4]))
        read_before = sum(reading)
        times, made = [], []
        for _ in range(3):
            began, made = time.perf_counter(), []
            for start in range(0, len(plan), 24):
                made += [each.accepted for each in shop.make(plan[start : start + 24])]
            times.append(time.perf_counter() - began)
        read = (sum(reading) - read_before) / len(times) / len(plan)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = statistics.median(times) / len(plan) - read
    return {"seconds": seconds, "accepted": float(np.mean(made)), "peak_mb": peak, "reading": read}


@contextmanager
def reading_apart() -> Iterator[list[float]]:
    """Yield the seconds of every image read or hashed by the maker of images meanwhile."""
    spent: list[float] = []

    def timed(usual: Callable[[Entry], Any]) -> Callable[[Entry], Any]:
        def read(entry: Entry) -> Any:
            began = time.perf_counter()
            found = usual(entry)
            spent.append(time.perf_counter() - began)
            return found

        return read

    with mock.patch.multiple(make, load_sample=timed(load_sample), image_sha256=timed(image_sha256)):
        yield spent


def apart(run: Path, size_hw: tuple[int, int]) -> dict[str, float]:
    """Measure in a process of its own, so that peak memory is that of this size alone."""
    command = [sys.executable, __file__, "--run", str(run), "--size", f"{size_hw[0]}x{size_hw[1]}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(text.splitlines()[-1])
    return found


def peer_seconds(steps: int) -> float:
    """Return seconds of one network call and scheduler step of the usual 113.7 M diffusers configuration at 128 px."""
    import torch
    from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

    net = UNet2DModel(
        sample_size=128, in_channels=3, out_channels=3, layers_per_block=2,
        block_out_channels=(128, 128, 256, 256, 512, 512),
        down_block_types=("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4,
    ).eval()  # fmt: skip
    print(f"peer parameters {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M", file=sys.stderr)
    if steps == 50:
        scheduler: Any = DDIMScheduler(num_train_timesteps=1000)
        scheduler.set_timesteps(50)
    else:
        scheduler = DDPMScheduler(num_train_timesteps=14_000)
        scheduler.set_timesteps(14_000)
    x, times = torch.randn(1, 3, 128, 128), []
    with torch.inference_mode():
        for moment in scheduler.timesteps[:6]:
            began = time.perf_counter()
            x = scheduler.step(net(x, moment).sample, moment, x).prev_sample
            times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--size")
    asked = parser.parse_args()
    if asked.size:
        height, width = map(int, asked.size.split("x"))
        print(json.dumps(measure(asked.run, (height, width))))
        return
    small, large = apart(asked.run, (256, 256)), apart(asked.run, (2048, 2448))
    ours = small["accepted"] / small["seconds"]
    rows = []
    for name, steps in (("sampling_vs_ddpm14000", 14_000), ("sampling_vs_ddim50", 50)):
        peer = 1 / (peer_seconds(steps) * steps)
        unit = "accepted labelled images per second / images per second of peer"
        rows.append({"name": name, "value": round(ours / peer, 1), "unit": unit, "ours": round(ours, 3), "peer": peer})
    ratio, extra = large["seconds"] / small["seconds"], large["peak_mb"] - small["peak_mb"]
    rows.append({
        "name": "resolution_time_ratio", "value": round(ratio, 3), "unit": "2448x2048 seconds / 256x256 seconds",
        "ours": round(large["seconds"], 4), "peer": round(small["seconds"], 4),
    })  # fmt: skip
    rows.append({
        "name": "resolution_extra_mb", "value": round(extra, 1), "unit": "MB",
        "ours": round(large["peak_mb"], 1), "peer": round(small["peak_mb"], 1),
    })  # fmt: skip
    append("speed.jsonl", [{**row, **origin("diffusers")} for row in rows])


if __name__ == "__main__":
    main()
