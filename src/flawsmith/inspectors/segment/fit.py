"""Training the segmenting inspector, in one go or in rounds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.inspectors.segment.crops import CropBank
from flawsmith.inspectors.segment.inspector import Segmenter
from flawsmith.inspectors.segment.net import SegmentNet, focal_loss
from flawsmith.inspectors.segment.settings import SegmentSettings
from flawsmith.training.loop import LoopSettings, train
from flawsmith.training.weights import load_weights, save_net

SO_FAR = "so_far.safetensors"
"""The averaged weights at the end of the last whole cycle."""


class SegmentLearner:
    """Teaches a `SegmentNet` by cross-entropy, or by focal loss where `gamma` is above 0: one turn per batch."""

    def __init__(self, net: SegmentNet, gamma: float = 0.0) -> None:
        self.net, self.gamma = net, gamma

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[torch.nn.Parameter]]]:
        """Return the loss of a batch {"image": (N, C, S, S), "target": (N, S, S)}."""
        logits = self.net(batch["image"].contiguous(memory_format=torch.channels_last))
        return [(focal_loss(logits, batch["target"], self.gamma), list(self.net.parameters()))]


class SegmentCourse:
    """A training that can go on in rounds: images read once, the rest resumed from what the folder holds."""

    def __init__(self, real: Catalog, synthetic: Catalog | None, settings: SegmentSettings, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        multiple = settings.patch * 2 ** (settings.stages - 1)
        self.bank = CropBank(real, synthetic, settings, multiple)
        self.shape = {
            "channels": self.bank.channels,
            "width": settings.width,
            "stages": settings.stages,
            "patch": settings.patch,
        }

    def advance(self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector") -> Segmenter:
        """Train until `steps` steps have been taken in all, and return the inspector with its averaged weights.

        Learning goes in cycles of `settings.cycle` steps, in each of which the learning rate rises and falls to almost
        nothing (Loshchilov & Hutter 2017), so the end of any cycle is the end of a complete training. As long as
        `steps` is a multiple of the cycle, many calls give the weights of one, interrupted or not.
        """
        net, done = self._fresh_net(), 0
        if (folder / SO_FAR).is_file():
            weights, card = load_weights(folder / SO_FAR)
            net.load_state_dict(weights)
            done = int(card["steps"])
        while done < steps:
            done += self._cycle(net, done, steps, folder, lambda now, note: progress(task, now, steps, note))
            save_net(folder / SO_FAR, net, {"steps": done})
        return Segmenter(net, self.shape, self.settings.pool)

    def _cycle(self, net: SegmentNet, done: int, steps: int, folder: Path, say: Callable[[int, str], None]) -> int:
        """Train `net` for one cycle, or for what is left, and return how many steps that was."""
        settings, place = self.settings, folder / f"cycle-{done}"
        loop = LoopSettings(
            steps=min(settings.cycle, steps - done), batch=settings.batch, learning_rate=settings.learning_rate
        )

        def relay(task: str, step: int, total: int, note: str = "") -> None:
            say(done + step, note)

        seed = derive_seed(self.seed, "cycle", done)
        train(net, SegmentLearner(net, settings.focal_gamma), self.feed, loop, place, seed=seed, progress=relay)
        shutil.rmtree(place, ignore_errors=True)
        return loop.steps

    def feed(self, rng: np.random.Generator, batch: int) -> Mapping[str, Tensor]:
        """Draw a batch."""
        return self.bank.batch(rng, batch)

    def _fresh_net(self) -> SegmentNet:
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(self.seed, "inspector"))
            return SegmentNet(**self.shape).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
