"""Work on many items by several threads: decoders, hashes and arrays let the others run meanwhile."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 4
"""Items begun per thread before the first is asked for: what is held in memory."""
Item = TypeVar("Item")
Found = TypeVar("Found")


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Yield what `work` returns for each item, in order, like `map`; few items are under way at a time.

    >>> list(in_threads(abs, [-2, 1, -3]))
    [2, 1, 3]
    """
    workers = cores()
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
