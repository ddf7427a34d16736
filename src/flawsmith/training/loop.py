"""The one training loop: it teaches generators and inspectors alike, and survives being killed.

Everything random in step i derives from (seed, rank, i), so a resumed run needs no generator state and ends with the
same weights, bit for bit on a CPU, as one that was never stopped.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from flawsmith.core.errors import SettingsError, TrainingError
from flawsmith.core.protocols import Learner, Progress, silent
from flawsmith.core.rng import derive_seed
from flawsmith.training.checkpoint import NAME, Journal, learnt_tensors, read_checkpoint, restore, write_checkpoint
from flawsmith.training.device import autocast_for, pick_device
from flawsmith.training.feeding import Batch, Feed, PhasedFeed, batches
from flawsmith.training.optimisers import build_optimisers, gradients_of, move, optimiser_tensors
from flawsmith.training.ranks import Ranks, join_ranks
from flawsmith.training.settings import LoopSettings, ema_decay, learning_rate

__all__ = ["Batch", "Feed", "LoopSettings", "PhasedFeed", "TrainLog", "train"]

_PROGRESS_SECONDS = 0.5
_MAY_CHANGE = {"checkpoint_seconds", "log_every", "device"}


@dataclass(frozen=True)
class TrainLog:
    """What a training run was: steps done, (step, mean loss since the last entry), seconds a step took."""

    steps: int
    losses: list[tuple[int, float]]
    seconds_per_step: float


def train(  # noqa: PLR0913  (what to teach, by what, how, where, and who listens: each has one meaning)
    net: nn.Module,
    learner: Learner,
    feed: Feed | PhasedFeed,
    settings: LoopSettings,
    folder: Path,
    *,
    seed: int,
    progress: Progress = silent,
    task: str = "train",
    after: Callable[[int, nn.Module], None] | None = None,
) -> TrainLog:
    """Teach `net` by `learner`'s turns on `feed`'s batches; at the end it holds the averaged weights, in eval mode.

    `net` must hold every parameter the learner moves. It is moved to the settings' device and left there;
    before each step it is put into training mode.
    All gradients of a step are taken before any parameter moves, so turns must not share a graph (detach).
    `after(steps done, net)` is called after each step with the current, not yet averaged, weights.
    Where `folder` holds a checkpoint of the same run, it goes on from there; a finished run leaves none behind.
    Draw noise from the generator that `turns` is given; dropout is made repeatable as well.
    Raises TrainingError when loss or gradient stop being finite, StageError when the checkpoint is of another run,
    SettingsError for impossible settings, and what `after` or `progress` raise (after writing the checkpoint).
    """
    ranks = join_ranks(pick_device(settings.device))
    if settings.batch % ranks.count:
        raise SettingsError(f"batch {settings.batch} cannot be shared by {ranks.count} processes: use a multiple")
    run = _Run(net, learner, settings, folder, ranks, seed)
    gpus = [ranks.device] if ranks.device.type == "cuda" else []
    with torch.random.fork_rng(gpus), _deferred_interrupt() as check_interrupt:
        for batch in batches(feed, settings, ranks, seed, run.journal.step):
            run.step(batch)
            with run.kept_if_raised():
                run.report(progress, task)
                if after is not None:
                    after(run.journal.step, net)
                check_interrupt()
            run.keep_if_due()
    return run.finish()


class _Run:
    """A training run: network, weight average, optimisers and journal; consistent whenever no step is under way."""

    def __init__(
        self, net: nn.Module, learner: Learner, settings: LoopSettings, folder: Path, ranks: Ranks, seed: int
    ) -> None:
        layout = torch.channels_last if settings.channels_last else torch.preserve_format
        self.net = net.to(device=ranks.device, memory_format=layout)  # type: ignore[call-overload]
        self.learner, self.settings, self.folder, self.ranks, self.seed = learner, settings, folder, ranks, seed
        self.optimisers: list[torch.optim.AdamW] = []
        self.live = learnt_tensors(net)
        floats = {name: value for name, value in self.live.items() if value.is_floating_point()}
        self.average = {name: value.clone() for name, value in floats.items()}
        self.floats, self.averages = list(floats.values()), list(self.average.values())
        self.buffers = [value for name, value in net.named_buffers() if name in floats]
        self.journal, self.stored = self._resumed()
        ranks.equalise(self.floats)
        ranks.equalise(self.averages)
        self.kept_at = self.reported_at = time.monotonic()

    def _identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to be of this run."""
        shapes = {name: list(value.shape) for name, value in self.live.items()}
        settings = self.settings.model_dump(mode="json", exclude=_MAY_CHANGE)
        return {"settings": settings, "seed": self.seed, "network": shapes, "processes": self.ranks.count}

    def _resumed(self) -> tuple[Journal, dict[str, Tensor]]:
        found = read_checkpoint(self.folder, self._identity())
        if found is None:
            return Journal(), {}
        tensors, journal = found
        restore(self.live, tensors, "net/")
        restore(self.average, tensors, "average/")
        return journal, tensors

    def step(self, batch: Batch) -> None:
        """Take one step: all gradients, the check that everything is finite, then all moves."""
        began = time.perf_counter()
        number = self.journal.step
        self.net.train()
        torch.manual_seed(derive_seed(self.seed, "dropout", self.ranks.rank, number))
        rng = torch.Generator(self.ranks.device)
        rng.manual_seed(derive_seed(self.seed, "noise", self.ranks.rank, number))
        with autocast_for(self.ranks.device, self.settings.precision):
            turns = self.learner.turns(batch, rng)
        self._descend(turns, learning_rate(self.settings, number))
        self.ranks.equalise(self.buffers)
        blend = get_ema_multi_avg_fn(ema_decay(self.settings, number))  # type: ignore[no-untyped-call]
        blend(self.averages, self.floats, None)
        self.journal.step += 1
        self.journal.seconds += time.perf_counter() - began

    def _descend(self, turns: list[tuple[Tensor, list[nn.Parameter]]], rate: float) -> None:
        if not self.optimisers:
            self.optimisers = build_optimisers(turns, self.net, self.settings.weight_decay, self.stored)
            self.stored = {}
        if not turns or len(turns) != len(self.optimisers):
            raise TrainingError(f"the learner gave {len(turns)} turns: expected at least one, as many in every step")
        losses = torch.stack([loss.detach().float().reshape(()) for loss, _ in turns])
        self.ranks.mean([losses])
        taken = [
            gradients_of(loss, optimiser, self.ranks, self.settings.grad_clip)
            for (loss, _), optimiser in zip(turns, self.optimisers, strict=True)
        ]
        norms = torch.stack([norm for _, norm in taken])
        self._check(torch.cat([losses, norms]).tolist(), len(turns), rate)
        for optimiser, (gradients, _) in zip(self.optimisers, taken, strict=True):
            move(optimiser, gradients, rate)

    def _check(self, values: list[float], turns: int, rate: float) -> None:
        losses, norms = values[:turns], values[turns:]
        if not all(map(math.isfinite, values)):
            raise TrainingError(
                f"step {self.journal.step} of {self.settings.steps}: loss {losses}, gradient norm {norms}, "
                f"learning rate {rate:.2e}, expected finite numbers; nothing was changed by this step: "
                "check the images and masks, lower learning_rate, or set precision=fp32"
            )
        self.journal.unlogged.append(sum(losses))
        if len(self.journal.unlogged) >= self.settings.log_every:
            self._log()

    def _log(self) -> None:
        losses = self.journal.unlogged
        self.journal.losses.append((self.journal.step + 1, sum(losses) / len(losses)))
        self.journal.unlogged = []

    def report(self, progress: Progress, task: str) -> None:
        """Tell `progress` where the run is, now and then and at the end."""
        now, done, total = time.monotonic(), self.journal.step, self.settings.steps
        if self.ranks.is_main and (now - self.reported_at >= _PROGRESS_SECONDS or done == total):
            self.reported_at = now
            recent = self.journal.unlogged or [self.journal.losses[-1][1]]
            progress(task, done, total, f"loss {sum(recent) / len(recent):.4f}")

    @contextmanager
    def kept_if_raised(self) -> Iterator[None]:
        """Write the checkpoint before an error or interruption goes on its way."""
        try:
            yield
        except BaseException:
            self.keep()
            raise

    def keep_if_due(self) -> None:
        """Write the checkpoint when its time has come."""
        if time.monotonic() - self.kept_at >= self.settings.checkpoint_seconds:
            self.keep()

    def keep(self) -> None:
        """Write the checkpoint (the main process does)."""
        if self.ranks.is_main:
            tensors = {f"net/{name}": value for name, value in self.live.items()}
            tensors |= {f"average/{name}": value for name, value in self.average.items()}
            tensors |= optimiser_tensors(self.optimisers, self.net)
            write_checkpoint(self.folder, tensors, self.journal, self._identity())
        self.kept_at = time.monotonic()

    def finish(self) -> TrainLog:
        """Leave the averaged weights in the network and no checkpoint on disk."""
        self.ranks.equalise(self.averages)
        restore(dict(zip(self.average, self.floats, strict=True)), self.average, "")
        self.net.eval()
        if self.journal.unlogged:
            self.journal.step -= 1
            self._log()
            self.journal.step += 1
        self.ranks.wait()
        if self.ranks.is_main:
            (self.folder / NAME).unlink(missing_ok=True)
        return TrainLog(self.journal.step, self.journal.losses, self.journal.seconds / self.journal.step)


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Hold the first Ctrl-C back until the yielded function is called, between steps; a second strikes at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    usual = signal.getsignal(signal.SIGINT)
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, usual)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, usual)
