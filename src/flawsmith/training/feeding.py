"""Batches for the loop: drawn from streams that depend on the step alone, ahead of time where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from flawsmith.core.rng import stream
from flawsmith.training.ranks import Ranks
from flawsmith.training.settings import LoopSettings

Batch = Mapping[str, Tensor]
Feed = Callable[[np.random.Generator, int], Batch]
"""(random stream, number of samples) -> a batch of tensors on the CPU."""


def batches(feed: Feed, settings: LoopSettings, ranks: Ranks, seed: int, first: int) -> Iterator[Batch]:
    """Yield the batches of steps `first` ... `settings.steps` - 1, on the ranks' device.

    For a GPU the next batch is drawn by a thread meanwhile; on a CPU that would only fight for the cores.
    """
    samples = settings.batch // ranks.count
    streams = (stream(seed, "batch", ranks.rank, i) for i in range(first, settings.steps))
    on_cpu = ranks.device.type == "cpu"
    drawn = (feed(each, samples) for each in streams) if on_cpu else _ahead(feed, streams, samples)
    for batch in drawn:
        yield {name: _placed(value, ranks.device, settings.channels_last) for name, value in batch.items()}


def _ahead(feed: Feed, streams: Iterator[np.random.Generator], samples: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(feed, each, samples) for each in [next(streams, None)] if each is not None]
        for each in streams:
            ready, coming = coming[0], [pool.submit(feed, each, samples)]
            yield ready.result()
        for last in coming:
            yield last.result()


def _placed(value: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    if channels_last and value.ndim == 4:
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)
