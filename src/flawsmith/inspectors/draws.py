"""Which defect comes next: domains in a fixed share, classes and images evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def draw_any(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """Draw one item, each as likely as another."""
    return items[int(rng.integers(len(items)))]


def draw_defect(
    real: Mapping[str, Sequence[Item]], synthetic: Mapping[str, Sequence[Item]], share: float, rng: np.random.Generator
) -> Item:
    """Draw a domain (synthetic with chance `share`, if there are both), then a class, then one of its items.

    Both map class names to items; at least one of them holds something.
    """
    from_synthetic = bool(synthetic) and (not real or rng.random() < share)
    return draw_any(draw_any(list((synthetic if from_synthetic else real).values()), rng), rng)
