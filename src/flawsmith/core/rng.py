"""Randomness is an argument: every stream of random numbers is derived from a seed and a path of names."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *path: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and every part of `path`, and on nothing else.

    >>> derive_seed(0, "generate", 3) == derive_seed(0, "generate", 3)
    True
    >>> derive_seed(0, "generate", 3) == derive_seed(0, "generate", 4)
    False
    """
    text = "/".join([str(seed), *(str(part) for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return the random stream that belongs to `seed` and `path`."""
    return np.random.default_rng(derive_seed(seed, *path))
