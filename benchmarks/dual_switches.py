"""Whether DualAnoDiff's two switches do what they are for, on a toy product that is learnt in seconds.

    python benchmarks/dual_switches.py

Flat parts of 16 px, each of its own brightness, with a dark square of 5 px. Rows, one per variant, go to
`results/dual.jsonl`: overlap (IoU, mean of the pictures) of the mask from the second branch with the dark pixels of
the first, and how far its background is from the photograph it was given, beside that from another (mean absolute
difference in [-1, 1]). One seed: differences, not levels, are what it can tell.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from common import append, origin

from flawsmith.core.records import GOOD
from flawsmith.core.settings import validated
from flawsmith.generators.dualanodiff.building import build_net
from flawsmith.generators.dualanodiff.ground import choose_ground, mask_of
from flawsmith.generators.dualanodiff.learner import DualLearner
from flawsmith.generators.dualanodiff.painter import DualPainter
from flawsmith.generators.dualanodiff.pairs import PairBank
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.gallery import Gallery, Hung
from flawsmith.training.loop import train

SIDE, SQUARE, PICTURES, MADE, STEPS = 16, 5, 60, 16, 250
DARK = -0.3
"""Pixels below, in [-1, 1], are of a defect: parts are brighter than 0, squares are -0.8."""
TOY = {
    "size_hw": [SIDE, SIDE],
    "net": {"widths": [16, 32], "patch": 2, "embedding": 32, "type_tokens": 2},
    "loop": {"steps": STEPS, "batch": 8, "learning_rate": 3e-3, "device": "cpu", "precision": "fp32"},
    "sampling": {"steps": 8, "guidance": 1.0, "batch": MADE},
}
VARIANTS = {
    "both": {},
    "without interrelation": {"interrelation": False},
    "without compensation": {"compensation": False},
}


def part(label: str, number: int, rng: np.random.Generator) -> Hung:
    """Return a part, with a defect unless it is good."""
    image = np.full((SIDE, SIDE, 1), rng.uniform(0.5, 0.8)) + rng.normal(0, 0.01, (SIDE, SIDE, 1))
    mask = np.zeros((SIDE, SIDE), bool)
    if label != GOOD:
        top, left = rng.integers(0, SIDE - SQUARE, 2)
        mask[top : top + SQUARE, left : left + SQUARE] = True
        image[mask] = 0.1
    pixels = (image.clip(0, 1) * 65535).astype(np.uint16)
    return Hung(f"{label}/{number}", label, pixels, mask if mask.any() else None)


def learnt(settings: DualAnoDiffSettings, goods: list[Hung], defects: list[Hung]) -> DualPainter:
    """Return a painter that has learnt the toy product."""
    ground = choose_ground(np.concatenate([2 * each.picture[each.mask] - 1 for each in defects]))
    bank = PairBank([*goods, *defects], settings.good_share, settings.symmetry, settings.margin)
    torch.manual_seed(0)
    net = build_net(1, 1, settings, ground)
    with tempfile.TemporaryDirectory() as folder:
        train(net, DualLearner(net, settings.condition_dropout), bank.batch, settings.loop, Path(folder), seed=0)
    return DualPainter(net, bank.labels, settings, Gallery(tuple(goods), tuple(defects)), ground.faint, "0" * 64)


def measures(painter: DualPainter, goods: list[Hung]) -> dict[str, float]:
    """Return the agreement of the branches, and that of background and photograph."""
    photos = np.stack([2 * each.picture[..., 0] - 1 for each in goods[:MADE]])
    drawn = painter.draw(["dark"] * MADE, range(MADE), torch.from_numpy(photos)[:, None])
    rows = []
    for number, (picture, defect) in enumerate(drawn):
        mask, found = mask_of(defect[None], painter.faint), picture.numpy() < DARK
        around = ~(mask | found)
        own, other = (np.abs(picture.numpy() - photos[(number + step) % MADE])[around].mean() for step in (0, 5))
        rows.append(((mask & found).sum() / max(1, (mask | found).sum()), mask.sum(), own, other))
    names = ("agreement", "mask_px", "to_own_photo", "to_another")
    return {name: round(float(value), 3) for name, value in zip(names, np.mean(rows, 0), strict=True)}


def main() -> None:
    rng = np.random.default_rng(0)
    goods, defects = ([part(label, number, rng) for number in range(PICTURES)] for label in (GOOD, "dark"))
    for name, change in VARIANTS.items():
        painter = learnt(validated(DualAnoDiffSettings, {**TOY, **change}), goods, defects)
        row = {"name": name, "true_px": SQUARE**2, "steps": STEPS, **measures(painter, goods)}
        append("dual.jsonl", [{**row, **origin()}])


if __name__ == "__main__":
    main()
