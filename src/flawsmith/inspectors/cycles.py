"""Training that can go on in rounds: the rest is resumed from what the folder holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import nn

from flawsmith.core.protocols import Learner, Progress
from flawsmith.core.rng import derive_seed
from flawsmith.inspectors.settings import LearningSettings
from flawsmith.training.loop import LoopSettings, PhasedFeed, train
from flawsmith.training.weights import fill, load_weights, save_net

SO_FAR = "so_far.safetensors"
"""The weights at the end of the last whole cycle."""

Net = TypeVar("Net", bound=nn.Module)


def seeded_net(build: Callable[[], Net], seed: int) -> Net:
    """Return a new network whose random start depends on `seed` alone."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "inspector"))
        return build().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Teacher(Protocol):
    """Teaches a network for one cycle."""

    def __call__(self, steps: int, place: Path, *, seed: int, progress: Progress) -> None:
        """Take `steps` steps with everything random drawn from `seed`; `place` is a folder for what is unfinished."""
        ...


@dataclass(frozen=True)
class Cycles:
    """Teaches `net` in cycles of `cycle` steps, each of them a complete training that begins with the one before."""

    net: nn.Module
    cycle: int
    teach: Teacher
    seed: int

    def advance(self, steps: int, folder: Path, progress: Progress, task: str) -> None:
        """Train until `steps` steps have been taken in all.

        As long as `steps` is a multiple of the cycle, many calls give the weights of one, interrupted or not.
        """
        done = self._resumed(folder)
        while done < steps:
            done += self._one(done, steps, folder, lambda now, note: progress(task, now, steps, note))
            save_net(folder / SO_FAR, self.net, {"steps": done})

    def _resumed(self, folder: Path) -> int:
        if not (folder / SO_FAR).is_file():
            return 0
        weights, card = load_weights(folder / SO_FAR)
        fill(self.net, weights)
        return int(card["steps"])

    def _one(self, done: int, steps: int, folder: Path, say: Callable[[int, str], None]) -> int:
        """Train for one cycle, or for what is left, and return how many steps that was."""
        count, place = min(self.cycle, steps - done), folder / f"cycle-{done}"

        def relay(task: str, step: int, total: int, note: str = "") -> None:
            say(done + step, note)

        self.teach(count, place, seed=derive_seed(self.seed, "cycle", done), progress=relay)
        shutil.rmtree(place, ignore_errors=True)
        return count


def looped(net: nn.Module, learner: Learner, feed: PhasedFeed, settings: LearningSettings, seed: int) -> Cycles:
    """Return the cycles in which our own loop teaches `net`, which then holds its averaged weights.

    In each the learning rate rises and falls to almost nothing (Loshchilov & Hutter 2017), so the end of any cycle is
    the end of a complete training. What `feed` draws may differ early and late in a cycle.
    """

    def teach(steps: int, place: Path, *, seed: int, progress: Progress) -> None:
        loop = LoopSettings(steps=steps, batch=settings.batch, learning_rate=settings.learning_rate)
        train(net, learner, feed, loop, place, seed=seed, progress=progress)

    return Cycles(net, settings.cycle, teach, seed)
