"""Whether the network paints hues as real defects have them, with the product's principal colours and without.

    python benchmarks/palette.py --run runs/mvtec_bottle

Needs a run of a product in colour that has its kit. The same short training twice: once in the measured palette, once
in plain channels times the factor that gives the same spread in the median. Images are made without gates. Rows, one
per variant and class, go to `results/palette.jsonl`: median spread of red - green and blue - green tones in the mask.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import append, origin

from flawsmith.core.records import GOOD, Image, Mask
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.generators.crops.bank import load_crops, palette_of
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.crops.tone import plate_of
from flawsmith.generators.local.examples import cut_examples
from flawsmith.generators.local.learner import LocalLearner
from flawsmith.generators.local.net import LocalNet
from flawsmith.generators.local.painter import LocalPainter
from flawsmith.generators.local.settings import LocalSettings, SamplingSettings
from flawsmith.masks.guide import GUIDE
from flawsmith.synthesis.kit import Kit, KitSettings
from flawsmith.synthesis.make import Workshop
from flawsmith.synthesis.plan import Order, PlanSettings
from flawsmith.training.loop import train
from flawsmith.training.settings import LoopSettings

MADE = 8


def hues(image: Image, mask: Mask) -> tuple[float, float]:
    """Return the spread of red - green and of blue - green tones inside a mask."""
    red, green, blue = plate_of(image, 3)[mask].T
    return float(np.std(red - green)), float(np.std(blue - green))


def plain(palette: Palette, pixels: list[np.ndarray[Any, Any]]) -> Palette:
    """Return plain channels, stretched so that defects have a spread of 0.5 in the median."""
    spread = float(np.median([np.sqrt((each**2).mean()) for each in pixels]))
    return Palette(np.eye(palette.channels, dtype=np.float32) * np.float32(0.5 / spread))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    catalog = load_catalog(asked.run / "split" / "train.json")
    loop = LoopSettings(steps=asked.steps, batch=20, learning_rate=8e-4)
    settings = LocalSettings(
        side=32, symmetry="square", good_images=60, loop=loop, sampling=SamplingSettings(max_windows=4)
    )
    bank, channels = load_crops(catalog, settings, 0)
    measured = palette_of(bank.defects)
    finest = [views[-1] for label in bank.labels for views in bank.defects[label]]
    palettes = {"principal colours": measured, "plain": plain(measured, [view.pixels[view.mask] for view in finest])}
    samples = [load_sample(entry) for entry in catalog if entry.label != GOOD]
    examples = [each for sample in samples for each in cut_examples(sample, settings)]
    kit, goods = Kit.load(asked.run / "kit"), catalog.labelled(GOOD)
    real = {label: [hues(s.image, s.mask) for s in samples if s.label == label] for label in bank.labels}
    for name, palette in palettes.items():
        torch.manual_seed(0)
        net = LocalNet(channels, len(bank.labels), len(GUIDE), settings.net, palette)
        with tempfile.TemporaryDirectory() as folder:
            train(net, LocalLearner(net, net, settings), bank.batch, loop, Path(folder), seed=0)
        painter = LocalPainter(net, bank.labels, settings, "0" * 64, examples)
        shop = Workshop(painter, "local", kit, KitSettings(), PlanSettings(more_defects=0), goods, judged=False)
        for label in bank.labels:
            made = [each for each in shop.make([Order(label, n, 0, 500 + n) for n in range(MADE)]) if each.defects]
            found = np.median([hues(each.image, each.defects[0].mask) for each in made], axis=0)
            row = {"dataset": asked.run.name, "variant": name, "label": label, "steps": asked.steps, "made": len(made)}
            told = {"red_green": round(float(found[0]), 4), "blue_green": round(float(found[1]), 4)}
            true = np.median(real[label], axis=0)
            told |= {"real_red_green": round(float(true[0]), 4), "real_blue_green": round(float(true[1]), 4)}
            append("palette.jsonl", [{**row, **told, **origin()}])


if __name__ == "__main__":
    main()
