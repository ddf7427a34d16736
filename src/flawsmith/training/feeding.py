"""Batches for the loop: drawn from streams that depend on the step alone, ahead of time where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.rng import stream
from flawsmith.training.ranks import Ranks
from flawsmith.training.settings import LoopSettings

Batch = Mapping[str, Tensor]
Feed = Callable[[np.random.Generator, int], Batch]
"""(random stream, number of samples) -> a batch of tensors on the CPU."""


@runtime_checkable
class PhasedFeed(Protocol):
    """A feed that draws otherwise early in a training than late."""

    def at(self, done: float) -> Feed:
        """Return the feed of a step before which the share `done`, in [0, 1), of all steps was taken."""


def batches(feed: Feed | PhasedFeed, settings: LoopSettings, ranks: Ranks, seed: int, first: int) -> Iterator[Batch]:
    """Yield the batches of steps `first` ... `settings.steps` - 1, on the ranks' device.

    For a GPU the next batch is drawn by a thread meanwhile; on a CPU that would only fight for the cores.
    """
    samples = settings.batch // ranks.count
    draws = (
        partial(_feed_at(feed, i / settings.steps), stream(seed, "batch", ranks.rank, i), samples)
        for i in range(first, settings.steps)
    )
    drawn = (draw() for draw in draws) if ranks.device.type == "cpu" else _ahead(draws)
    for batch in drawn:
        yield {name: _placed(value, ranks.device, settings.channels_last) for name, value in batch.items()}


def _feed_at(feed: Feed | PhasedFeed, done: float) -> Feed:
    return feed.at(done) if isinstance(feed, PhasedFeed) else feed


def _ahead(draws: Iterator[Callable[[], Batch]]) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(draw) for draw in [next(draws, None)] if draw is not None]
        for draw in draws:
            ready, coming = coming[0], [pool.submit(draw)]
            yield ready.result()
        for last in coming:
            yield last.result()


def _placed(value: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    if channels_last and value.ndim == 4:
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)
