"""What helped the local generator and what did not: one change at a time, the same seconds of training for each.

    python benchmarks/generator_choices.py --run runs/magnetic_tile --seconds 240

Needs a run that is split. Each variant learns from the training part; its loss (Karras et al. 2022, eq. 8, so that
variants of one kind of crop compare) is measured on fixed crops and fixed noise of the validation part. Rows go to
`results/generator.jsonl`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import append, origin
from torch import Tensor

from flawsmith.core.settings import resolve
from flawsmith.data.loading import load_catalog
from flawsmith.generators.crops.bank import load_crops, palette_of
from flawsmith.generators.local.learner import LocalLearner
from flawsmith.generators.local.net import LocalNet
from flawsmith.generators.local.settings import LocalSettings
from flawsmith.masks.guide import GUIDE
from flawsmith.training.loop import train

VARIANTS = {
    "as shipped": [],
    "no mirrored crops": ["symmetry=none"],
    "all eight views": ["symmetry=square"],
    "no defect-free crops": ["good_share=0"],
    "half defect-free crops": ["good_share=0.5"],
    "half the learning rate": ["loop.learning_rate=4e-4"],
    "two blocks a level": ["net.blocks=2"],
    "the prototype's widths": ["net.widths=[64,128,192]", "net.patch=2", "loop.batch=24", "loop.learning_rate=4e-4"],
    "half resolution, wide": ["net.widths=[48,96,192]", "net.patch=2"],
    "half resolution, one level more": ["net.widths=[48,96,192,192]", "net.patch=2"],
    "narrower still where it is largest": ["net.widths=[16,48,96,192]"],
    "no guide vector": ["guide_dropout=1"],
}
PROBE_STEPS, HELD_BATCHES, HELD_SIZE = 12, 12, 32


def loss_of(net: LocalNet, settings: LocalSettings, batches: list[Mapping[str, Tensor]]) -> float:
    """Return the mean loss on fixed batches with fixed noise."""
    learner = LocalLearner(net.eval(), net, settings)
    with torch.inference_mode():
        losses = [
            learner.turns(batch, torch.Generator().manual_seed(number))[0][0] for number, batch in enumerate(batches)
        ]
    return float(torch.stack(losses).mean())


def measure(name: str, run: Path, overrides: list[str], seconds: float) -> dict[str, Any]:
    """Train one variant for about so many seconds and return its row."""
    settings = resolve(LocalSettings, None, overrides)
    bank, channels = load_crops(load_catalog(run / "split" / "train.json"), settings, 0)
    held, _ = load_crops(load_catalog(run / "split" / "val.json"), LocalSettings(), 0)
    palette = palette_of(bank.defects)

    def fresh() -> LocalNet:
        torch.manual_seed(0)
        return LocalNet(channels, len(bank.labels), len(GUIDE), settings.net, palette)

    def learn(net: LocalNet, steps: int) -> float:
        loop = settings.loop.model_copy(update={"steps": steps, "checkpoint_seconds": 1e9})
        began = time.time()
        with tempfile.TemporaryDirectory() as folder:
            train(net, LocalLearner(net, net, settings), bank.batch, loop, Path(folder), seed=0)
        return time.time() - began

    learn(fresh(), 2)
    steps = max(PROBE_STEPS, round(seconds * PROBE_STEPS / learn(fresh(), PROBE_STEPS)))
    net = fresh()
    took = learn(net, steps)
    batches = [held.batch(np.random.default_rng(number), HELD_SIZE) for number in range(HELD_BATCHES)]
    row = {
        "name": f"{name}, {seconds:.0f} s",
        "budget_seconds": seconds,
        "overrides": overrides,
        "steps": steps,
        "seconds": round(took, 1),
    }
    return {**row, "held_out_loss": round(loss_of(net, settings, batches), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    asked = parser.parse_args()
    same = {"dataset": load_catalog(asked.run / "split" / "train.json").name, **origin()}
    for name in asked.only:
        append("generator.jsonl", [{**measure(name, asked.run, VARIANTS[name], asked.seconds), **same}])


if __name__ == "__main__":
    main()
