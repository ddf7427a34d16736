"""The whole-image DDPM: drawing in few steps against all 14,000, and training against a loop as diffusers has it.

`fewstep_calls_ratio`: a small network learns the demo world's blowholes with the glass paper's chain of 14,000 steps,
and draws the same number of pictures by ancestral sampling, every step, and by our few-step sampler. Both sets are
compared with real pictures by KID on features of an in-domain network. Counted is the smallest number of network calls
whose KID is not above the chain's by more than the chain's own standard error, which a set with a few wild pictures,
and so a wide error of its own, does not pass; the losing numbers are in the row as well.

`ddpm_train_ratio`: seconds of a step of our training loop over those of a loop written as diffusers' training of an
unconditional model goes (accelerate, DDPMScheduler.add_noise, mean squared error, clipped gradients, AdamW, cosine
schedule), same network, same batches, step by step in turn; medians, the slower of two precisions counts.

    python benchmarks/speed_ddpm.py --only train
    python benchmarks/speed_ddpm.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from common import append, origin
from diffusers.optimization import get_cosine_schedule_with_warmup
from torch import Tensor, nn
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

SIDE, LABEL, MADE, CHAIN = 32, "blowhole", 32, 14_000
NET = UNet2dSettings(widths=(16, 32, 32), blocks=1, attention=(2,))
FEW = [(sampler, steps) for sampler in ("dpmpp_2m", "euler_ancestral") for steps in (8, 20, 35, 50, 70, 140)]
"""Samplers and numbers of steps that are tried, one network call each."""
TRAIN_NET = UNet2dSettings(widths=(32, 64, 128), blocks=1, attention=(2,))
TRAIN_SIDE, BATCH, STEPS, WARM = 64, 8, 120, 6
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
        for sampler, number in FEW:
            tried[sampler, number] = measured(DdpmSamplingSettings(sampler=sampler, steps=number, batch=MADE))
            print(sampler, number, *tried[sampler, number], flush=True)
        whole = DdpmSamplingSettings(sampler="euler_ancestral", steps=CHAIN, sigma_max=None, batch=MADE)
        kid, calls, seconds = measured(whole)
    enough = [key for key, (few, _, _) in tried.items() if few.value <= kid.value + kid.error]
    fewest = min(enough, key=lambda key: tried[key][1], default=None)
    return {
        "name": "fewstep_calls_ratio",
        "value": round(calls / tried[fewest][1], 1) if fewest else 0.0,
        "unit": "network calls of the whole chain / of ours at equal KID",
        "ours": tried[fewest][1] if fewest else None,
        "peer": calls,
        "note": f"{MADE} pictures of {SIDE} px, network of {steps} steps; KID of the chain {kid.value:.4f} "
        f"(error {kid.error:.4f}, {seconds:.0f} s), of few steps "
        + ", ".join(f"{name} {n}: {few.value:.4f} ({few.error:.4f})" for (name, n), (few, _, _) in tried.items()),
        **origin("diffusers"),
    }


def peer_step(bank: PictureBank, precision: Precision) -> Callable[[], None]:
    """Return a step of the loop as diffusers has it."""
    torch.manual_seed(0)
    AcceleratorState._reset_state(reset_partial_state=True)  # else the precision of the first one stays
    accelerator = Accelerator(cpu=True, mixed_precision="no" if precision == "fp32" else precision)
    net = build_unet2d(TRAIN_NET, (TRAIN_SIDE, TRAIN_SIDE), 1, None)
    scheduler = build_scheduler(ChainSettings())
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    pace = get_cosine_schedule_with_warmup(optimizer, 2, STEPS)
    net, optimizer, pace = accelerator.prepare(net, optimizer, pace)
    rng = np.random.default_rng(0)
    net.train()

    def step() -> None:
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

    return step


def in_turn(bank: PictureBank, precision: Precision) -> tuple[list[float], list[float]]:
    """Return the seconds of our loop's steps and of the peer's, taken in turn: after each of ours one of the peer."""
    theirs, ours, peers = peer_step(bank, precision), [], []
    torch.manual_seed(0)
    net = build_unet2d(TRAIN_NET, (TRAIN_SIDE, TRAIN_SIDE), 1, None)
    learner = DdpmLearner(net, chain_of(build_scheduler(ChainSettings())), told=False)
    usual = DdpmSettings().loop.model_dump() | {"steps": STEPS, "batch": BATCH, "device": "cpu"}
    loop = LoopSettings(**{**usual, "precision": precision, "checkpoint_seconds": 1e9})
    last = time.perf_counter()

    def after(step: int, net: nn.Module) -> None:
        nonlocal last
        ours.append(time.perf_counter() - last)
        began = time.perf_counter()
        theirs()
        last = time.perf_counter()
        peers.append(last - began)

    with tempfile.TemporaryDirectory() as folder:
        train(net, learner, bank.batch, loop, Path(folder), seed=0, after=after)
    return ours[WARM:], peers[WARM:]


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
        ours, peers = (statistics.median(each) for each in in_turn(bank, precision))
        found[precision] = (ours / peers, ours, peers)
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
