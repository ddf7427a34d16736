"""anomalib's Engine fed with our batches: seeded, silent, and leaving nothing behind."""

from __future__ import annotations

import logging
import math
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.data import ImageBatch
from anomalib.engine import Engine
from anomalib.models import AnomalibModule
from lightning.pytorch import Callback
from torch.utils.data import DataLoader, Dataset, IterableDataset

from flawsmith.core.errors import TrainingError
from flawsmith.core.protocols import Progress
from flawsmith.core.rng import derive_seed, stream
from flawsmith.inspectors.frame_bank import FrameBank

EPOCHS = 10
"""Epochs in a training: anomalib's SuperSimpleNet lowers its learning rate after 80 % and 90 % of them."""


def fit(model: AnomalibModule, data: Dataset[ImageBatch], folder: Path, progress: Progress, **limits: int) -> None:
    """Let anomalib's Engine fit `model` to ready-made batches; `folder` is for what it writes meanwhile.

    Raises TrainingError when the loss stops being finite.
    """
    engine = Engine(
        default_root_dir=folder,
        devices=1,
        barebones=True,  # no checkpoints (pickles), logs and bars of its own
        callbacks=[_Watch(progress)],
        **limits,
    )
    with _quiet(), _interruptible():
        engine.fit(model, train_dataloaders=DataLoader(data, batch_size=None))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let everything that draws from global streams, as anomalib does, depend on `seed`; they are then as before."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  (anomalib's own streams)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "torch"))
        random.seed(derive_seed(seed, "python"))
        np.random.seed(derive_seed(seed, "numpy") % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what Lightning says of itself at each start; its warnings stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning_fabric")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C stay Ctrl-C: Lightning makes it the end of the program, deaf to another one."""
    usual = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, usual)
        raise KeyboardInterrupt from None


class Drawn(IterableDataset[ImageBatch]):
    """As many batches as steps, in `EPOCHS` epochs of equal length; a batch depends on `seed` and its number alone."""

    def __init__(self, bank: FrameBank, batch: int, steps: int, seed: int) -> None:
        self.bank, self.batch, self.steps, self.seed = bank, batch, steps, seed
        self.epoch = math.ceil(steps / EPOCHS)
        self.taken = 0

    @property
    def limits(self) -> dict[str, int]:
        """When the Engine shall stop."""
        return {"max_steps": self.steps, "max_epochs": math.ceil(self.steps / self.epoch)}

    def __len__(self) -> int:
        return self.epoch

    def __iter__(self) -> Iterator[ImageBatch]:
        for _ in range(self.epoch):
            feed = self.bank.at(self.taken / self.steps)
            drawn = feed(stream(self.seed, "batch", self.taken), self.batch)
            self.taken += 1
            yield batch_of(drawn["image"], drawn["mask"])


class GoodImages(Dataset[ImageBatch]):
    """Every good image once, as `read` gives it, `batch` at a time."""

    def __init__(self, entries: Sequence[Any], batch: int, read: Callable[[Any], torch.Tensor]) -> None:
        self.parts = [entries[i : i + batch] for i in range(0, len(entries), batch)]
        self.read = read

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: int) -> ImageBatch:
        images = torch.cat([self.read(entry) for entry in self.parts[number]])
        return batch_of(images, torch.zeros(images[:, 0].shape))


def batch_of(images: torch.Tensor, masks: torch.Tensor) -> ImageBatch:
    """Return images (N, 3, S, S) in [-1, 1] and masks (N, S, S) of 0 and 1 as anomalib takes them, in [0, 1]."""
    marked = masks.flatten(1).any(1)
    return ImageBatch(image=(images + 1) / 2, gt_mask=masks.bool(), gt_label=marked)


class _Watch(Callback):  # type: ignore[misc]
    """Says progress, and stops where the loss is not finite."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.done = 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *rest: Any) -> None:
        """Take note of a step."""
        self.done += 1
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            raise TrainingError(
                f"step {self.done}: the loss is {loss}, expected a finite number: check images and masks"
            )
        total = trainer.max_steps if trainer.max_steps > 0 else trainer.num_training_batches
        self.progress("anomalib", self.done, total, f"loss {loss:.4f}")
