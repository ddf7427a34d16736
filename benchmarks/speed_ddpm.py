"""The whole-image DDPM: drawing in few steps against all 14,000, and training against a loop as diffusers has it.

`fewstep_calls_ratio`: a small network learns the demo world's blowholes with the glass paper's chain of 14,000 steps,
and draws the same number of pictures by ancestral sampling, every step, and by our few-step sampler. Both sets are
compared with real pictures by KID on features of an in-domain network. Counted is the smallest number of network calls
whose KID is not above the chain's by more than the standard error of both; the losing numbers are in the row as well.

`ddpm_train_ratio`: seconds of a step of our training loop over those of a loop written as diffusers' training of an
unconditional model goes (accelerate, DDPMScheduler.add_noise, mean squared error, clipped gradients, AdamW, cosine
schedule), same network, same batches, in turn in one run; the slower of two precisions counts.

    python benchmarks/speed_ddpm.py --only train
    python benchmarks/speed_ddpm.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from common import append, origin
from diffusers.optimization import get_cosine_schedule_with_warmup
from torch import Tensor
from torch.nn import functional as F

from flawsmith.core.settings import validated
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.features.in_domain import fit_in_domain
from flawsmith.features.settings import FeatureSettings
from flawsmith.generators.ddpm.family import DDPM
from flawsmith.generators.ddpm.folder import build_scheduler, chain_of
from flawsmith.generators.ddpm.learner import DdpmLearner, PictureBank
from flawsmith.generators.ddpm.painter import DdpmPainter
from flawsmith.generators.ddpm.settings import ChainSettings, DdpmSamplingSettings, DdpmSettings
from flawsmith.generators.gallery import gather
from flawsmith.metrics.generation import Estimate, kid_of_all
from flawsmith.nets.unet2d import UNet2dSettings, build_unet2d
from flawsmith.training.feed import to_image
from flawsmith.training.loop import LoopSettings, train

SIDE, LABEL, MADE, CHAIN = 32, "blowhole", 48, 14_000
NET = UNet2dSettings(widths=(24, 48, 48), blocks=1, attention=(2,))
FEW = (4, 6, 8, 12, 20, 35, 50)
"""Numbers of steps that are tried, one network call each."""
TRAIN_NET, TRAIN_SIDE, BATCH, STEPS, ROUNDS = (
    UNet2dSettings(widths=(32, 64, 128), blocks=1, attention=(2,)),
    64,
    8,
    12,
    3,
)
Precision = Literal["fp32", "bf16"]


class Counting:
    """A network that counts its calls."""

    def __init__(self, net: Any) -> None:
        self.net, self.calls = net, 0

    def __call__(self, x: Tensor, steps: Tensor) -> Tensor:
        """Call the network."""
        self.calls += 1
        return self.net(x, steps)  # type: ignore[no-any-return]


def drawn(painter: DdpmPainter, sampling: DdpmSamplingSettings) -> tuple[list[Any], int, float]:
    """Draw `MADE` pictures and return them as images, with network calls and seconds."""
    counting = Counting(painter.networks[LABEL])
    mine = DdpmPainter(
        {LABEL: counting}, painter.shape_CHW, painter.chain, painter.gallery, sampling, "", painter.device
    )
    began = time.perf_counter()
    pictures = mine.draw(LABEL, range(MADE))
    return list(to_image(pictures, np.uint8)), counting.calls, time.perf_counter() - began


def few_steps(steps: int) -> dict[str, Any]:
    """Return the row of drawing."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        demo = DemoSettings(size_hw=(64, 64), good=60, per_class=80, most_shots=1, channels=1, seed=3)
        catalog = write_demo(root / "demo", demo)
        extractor = fit_in_domain(catalog, FeatureSettings(), root / "features")
        settings = validated(
            DdpmSettings,
            {
                "size_hw": (SIDE, SIDE),
                "symmetry": "mirror",
                "chain": {"steps": CHAIN},
                "net": NET.model_dump(),
                "loop": {"steps": steps, "batch": 16, "learning_rate": 1e-3},
            },
        )
        only = catalog.labelled("good", LABEL)
        DDPM.fit(only, settings, root / "model", seed=0)
        painter = DDPM.load(root / "model")
        real = [each.image for each in painter.gallery.defects]
        seen = extractor.look(real).features

        def measured(sampling: DdpmSamplingSettings) -> tuple[Estimate, int, float]:
            images, calls, seconds = drawn(painter, sampling)
            return kid_of_all(seen, extractor.look(images).features), calls, seconds

        tried = {}
        for number in FEW:
            tried[number] = measured(DdpmSamplingSettings(steps=number, batch=MADE))
            print(number, *tried[number], flush=True)
        whole = DdpmSamplingSettings(sampler="euler_ancestral", steps=CHAIN, sigma_max=None, batch=MADE)
        kid, calls, seconds = measured(whole)
    enough = [n for n, (few, _, _) in tried.items() if few.value <= kid.value + float(np.hypot(few.error, kid.error))]
    fewest = min(enough, default=None)
    return {
        "name": "fewstep_calls_ratio",
        "value": round(calls / tried[fewest][1], 1) if fewest else 0.0,
        "unit": "network calls of the whole chain / of ours at equal KID",
        "ours": tried[fewest][1] if fewest else None,
        "peer": calls,
        "note": f"{MADE} pictures of {SIDE} px, network of {steps} steps; KID of the chain {kid.value:.4f} "
        f"(error {kid.error:.4f}, {seconds:.0f} s), of few steps "
        + ", ".join(f"{n}: {few.value:.4f} ({few.error:.4f})" for n, (few, _, _) in tried.items()),
        **origin("diffusers"),
    }


def our_seconds(bank: PictureBank, precision: Precision, seed: int) -> float:
    """Return the seconds of a step of our loop."""
    torch.manual_seed(seed)
    net = build_unet2d(TRAIN_NET, (TRAIN_SIDE, TRAIN_SIDE), 1, None)
    loop = LoopSettings(steps=STEPS, batch=BATCH, precision=precision, device="cpu", checkpoint_seconds=1e9)
    learner = DdpmLearner(net, chain_of(build_scheduler(ChainSettings())), told=False)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        train(net, learner, bank.batch, loop, Path(folder), seed=seed)
        return (time.perf_counter() - began) / STEPS


def peer_seconds(bank: PictureBank, precision: Precision, seed: int) -> float:
    """Return the seconds of a step of the loop as diffusers has it."""
    torch.manual_seed(seed)
    accelerator = Accelerator(cpu=True, mixed_precision="no" if precision == "fp32" else precision)
    net = build_unet2d(TRAIN_NET, (TRAIN_SIDE, TRAIN_SIDE), 1, None)
    scheduler = build_scheduler(ChainSettings())
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    pace = get_cosine_schedule_with_warmup(optimizer, 2, STEPS)
    net, optimizer, pace = accelerator.prepare(net, optimizer, pace)
    rng = np.random.default_rng(seed)
    net.train()
    began = time.perf_counter()
    for _ in range(STEPS):
        clean = bank.batch(rng, BATCH)["image"]
        noise = torch.randn(clean.shape)
        steps = torch.randint(0, CHAIN, (BATCH,))
        noisy = scheduler.add_noise(clean, noise, steps)
        with accelerator.accumulate(net):
            loss = F.mse_loss(net(noisy, steps).sample.float(), noise)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            pace.step()
            optimizer.zero_grad()
    return (time.perf_counter() - began) / STEPS


def training() -> dict[str, Any]:
    """Return the row of training."""
    with tempfile.TemporaryDirectory() as folder:
        demo = DemoSettings(size_hw=(64, 64), good=2, per_class=8, most_shots=1, channels=1)
        catalog = write_demo(Path(folder) / "demo", demo)
        _, pictures = gather(catalog, (TRAIN_SIDE, TRAIN_SIDE), 2, 0)
        mine = [each for each in pictures if each.label == LABEL]
    bank, found = PictureBank(mine, (LABEL,), "mirror"), {}
    kinds: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in kinds:
        pairs = [(our_seconds(bank, precision, n), peer_seconds(bank, precision, n)) for n in range(ROUNDS + 1)][1:]
        found[precision] = (
            statistics.median(a / b for a, b in pairs),
            statistics.median(a for a, _ in pairs),
            statistics.median(b for _, b in pairs),
        )
        print(precision, *found[precision], flush=True)
    worst = max(found.values())
    return {
        "name": "ddpm_train_ratio",
        "value": round(worst[0], 4),
        "unit": "seconds of ours / seconds of peer",
        "ours": round(worst[1], 4),
        "peer": round(worst[2], 4),
        "note": f"batch {BATCH} of {TRAIN_SIDE} px; ours averages its weights as well; "
        + ", ".join(f"{name} {ratio:.3f}" for name, (ratio, _, _) in found.items()),
        **origin("diffusers", "accelerate"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["train", "draw"])
    parser.add_argument("--steps", type=int, default=1500, help="training steps before drawing")
    asked = parser.parse_args()
    if asked.only != "draw":
        append("speed.jsonl", [training()])
    if asked.only != "train":
        append("speed.jsonl", [few_steps(asked.steps)])


if __name__ == "__main__":
    main()
