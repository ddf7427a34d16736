"""What the gates that ask networks pass and turn away on demo data, and what they cost.

    python benchmarks/panel_gates.py --shots 5

Networks and limits are fitted on a training part with that many groups per class. Rows, one per class, go to
`results/gates.jsonl`: shares that pass each gate, of real defects of other groups (which should), of real defects under
another class's name, of places without a defect, and of noise (which should not); seconds of processor time to teach
the networks, and milliseconds of it that both gates together take per attempt, on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import append, origin

from flawsmith.core.records import GOOD, Image
from flawsmith.core.rng import stream
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.data.splits import SplitSettings, split
from flawsmith.features.crops import Crop, defect_crops, good_crops
from flawsmith.filtering.panel import Opinion, Panel, teach_panel
from flawsmith.filtering.settings import PanelSettings

PLACES = 30


def opinion(panel: Panel, image: Image, label: str) -> Opinion:
    """Return what the panel says of a picture cut as its own crops are, so that nothing is cut again."""
    said = []
    for member in panel.members:
        look = member.net.look([image])
        assert look.logits is not None
        said.append(member.opinion(look.features[0], look.logits[0], label))
    return Opinion(float(np.mean([each.agreed for each in said])), float(np.mean([each.near for each in said])))


def wild(crop: Crop, rng: np.random.Generator) -> Image:
    """Return a crop with noise in its middle."""
    image = crop.image.copy()
    height, width = image.shape[:2]
    middle = slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4)
    image[middle] = rng.integers(0, np.iinfo(image.dtype).max, image[middle].shape, endpoint=True)
    return image


def passing(panel: Panel, images: Sequence[Image], label: str) -> dict[str, float]:
    """Return the share of images that pass each gate of a class."""
    limit, found = panel.limits[label], [opinion(panel, image, label) for image in images]
    return {
        "class_agreed": round(float(np.mean([each.agreed >= limit.agreed for each in found])), 3),
        "realistic": round(float(np.mean([each.near >= limit.near for each in found])), 3),
    }


def measure(shots: int, demo: DemoSettings, settings: PanelSettings, folder: Path) -> list[dict[str, Any]]:
    """Return one row per class."""
    parts = split(write_demo(folder / "demo", demo), SplitSettings(shots=shots))
    began = time.process_time()
    panel = teach_panel(parts.train, settings, folder / "panel")
    taught = time.process_time() - began
    others = [each for each in (*parts.val, *parts.test) if each.label != GOOD]
    real = [crop for crop, _ in defect_crops(others, settings.margin, settings.least_px)]
    rng = stream(0, "gates")
    spots = [spot for _, spot in defect_crops(parts.train, settings.margin, settings.least_px)]
    bare = good_crops(list(parts.val.labelled(GOOD)), spots, PLACES, rng)
    began = time.process_time()
    for crop in real:
        opinion(panel, crop.image, crop.label)
    milliseconds = 1000 * (time.process_time() - began) / len(real)
    return [
        {
            "name": f"demo {label}", "shots": shots, "limit": [round(limit.agreed, 4), round(limit.near, 4)],
            "real": passing(panel, [crop.image for crop in real if crop.label == label], label),
            "real_defects": sum(crop.label == label for crop in real),
            "other_class": passing(panel, [crop.image for crop in real if crop.label != label], label),
            "bare": passing(panel, [crop.image for crop in bare], label),
            "noise": passing(panel, [wild(crop, rng) for crop in bare], label),
            "cpu_teaching_seconds": round(taught, 1), "cpu_ms_per_attempt": round(milliseconds, 2),
        }
        for label, limit in panel.limits.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--side", type=int, default=96, help="of the demo's pictures")
    parser.add_argument("--per-class", type=int, default=14)
    parser.add_argument("--steps", type=int, default=PanelSettings().steps)
    given = parser.parse_args()
    torch.set_num_threads(1)
    demo = DemoSettings(size_hw=(given.side, given.side), good=40, per_class=given.per_class)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(given.shots, demo, PanelSettings(steps=given.steps), Path(folder))
    append("gates.jsonl", [{**row, "steps": given.steps, **origin()} for row in rows])


if __name__ == "__main__":
    main()
