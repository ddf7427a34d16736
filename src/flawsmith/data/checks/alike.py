"""Pictures that are nearly the same, also mirrored or turned, found by hash and confirmed by correlation.

What all pictures of a set share, the part's own outline above all, makes none of them a copy: it is taken off first.
The hash is 64 bits of the signs of the lowest frequencies (Zauner 2010, "Implementation and benchmarking of perceptual
image hash functions", section 3.2.1). A copy that was cut or shifted is not recognised. By fixed limits, on thumbnails
that the check keeps, it names pictures for a person to look at; `data.lookalikes` compares the grain that such small
pictures lose, by a limit measured on the product, and decides without a person which groups are one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from flawsmith.core.links import firsts
from flawsmith.data.checks.thumbnails import SIDE, Thumbnail

NEAR_BITS, NEAR_LIKENESS = 8, 0.95
"""Nearly the same: at most so many of 64 bits differ, and at least so much correlation."""
AKIN_BITS, AKIN_LIKENESS = 10, 0.90
"""Similar enough where names or times say as well that two pictures belong together."""
LEAST_CONTRAST = 0.004
"""A flat picture (deviation of its thumbnail, of 1) looks like every other."""
LEAST_RESIDUAL = 0.02
"""A picture that differs less from what all share, as a part of its own contrast, says nothing but noise."""
_TURNS = ("", "turned by 90°", "turned by 180°", "turned by 270°")
VIEWS = (*_TURNS, "mirrored", *(f"mirrored and {turn}" for turn in _TURNS[1:]))
"""The eight ways to look at a picture, the upright one first."""
MOST_TWINS = 32
"""Pictures later in the order that one is compared with by correlation, per view; one with as many twins is done."""
_FREQUENCIES, _ROWS, _PAIRS = 8, 128, 4096

Residuals = NDArray[np.float32]


class Alike(NamedTuple):
    """Two pictures by their number; `view` (of VIEWS) is what turns the second into the first."""

    first: int
    second: int
    view: int
    bits: int
    likeness: float

    @property
    def near(self) -> bool:
        """Whether they are nearly the same, rather than merely akin."""
        return self.bits <= NEAR_BITS and self.likeness >= NEAR_LIKENESS


def alike(thumbnails: Sequence[Thumbnail]) -> list[Alike]:
    """Return the pairs that are nearly the same, and upright those that are akin, by rising numbers.

    Of a picture that looks like very many, about `MOST_TWINS` that follow it are told; those are told of the next in
    turn, so that all of them still hang together. Memory beyond the thumbnails is some bytes per picture and pair; time
    grows with the square of their number (about a minute and a half for 100,000).
    """
    if len(thumbnails) < 2:
        return []
    parts = (thumbnails[start : start + _PAIRS] for start in range(0, len(thumbnails), _PAIRS))
    shared = np.asarray(sum(np.array(part, np.float64).sum(0) for part in parts) / len(thumbnails), np.float32)
    hashes = [_hashes(thumbnails, shared, view) for view in range(len(VIEWS))]
    twins = np.zeros(len(thumbnails), np.int64)
    known: dict[tuple[int, int], Alike] = {}
    for view, others in enumerate(hashes):
        for first, second in _close(hashes[0], others, twins):
            for pair in _confirmed(thumbnails, shared, first, second, view):
                old = known.get(pair[:2])
                twins[pair.first] += old is None
                if old is None or pair.likeness > old.likeness:
                    known[pair[:2]] = pair
    return [known[key] for key in sorted(known)]


def clusters(pairs: Iterable[Alike], count: int) -> list[list[int]]:
    """Return the sets of two or more of `count` pictures that pairs link, each by rising numbers.

    >>> clusters([Alike(0, 2, 0, 0, 1.0), Alike(2, 3, 0, 0, 1.0)], 5)
    [[0, 2, 3]]
    """
    links = [(pair.first, pair.second) for pair in pairs]
    members: dict[int, list[int]] = {}
    for number, first in enumerate(firsts(links, count)):
        members.setdefault(first, []).append(number)
    return [numbers for numbers in members.values() if len(numbers) > 1]


def _residuals(thumbnails: Sequence[Thumbnail], shared: NDArray[np.float32], view: int) -> Residuals:
    """Return what is each picture's own (N, 1024), with norm 1, or 0 where it is next to nothing."""
    seen = np.array(thumbnails, np.float32)
    turned = np.rot90(seen[:, :, ::-1] if view >= 4 else seen, view % 4, axes=(1, 2))
    own = (turned - shared).reshape(len(seen), -1)
    own -= own.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(own, axis=1, keepdims=True)
    return np.asarray(np.where(norms < LEAST_RESIDUAL * SIDE, 0, own / np.maximum(norms, 1e-6)), np.float32)


def _hashes(thumbnails: Sequence[Thumbnail], shared: NDArray[np.float32], view: int) -> NDArray[np.uint64]:
    parts = [thumbnails[start : start + _PAIRS] for start in range(0, len(thumbnails), _PAIRS)]
    return np.concatenate([_hash(_residuals(part, shared, view)) for part in parts])


def _hash(residuals: Residuals) -> NDArray[np.uint64]:
    waves = dctn(residuals.reshape(-1, SIDE, SIDE), axes=(1, 2))[:, :_FREQUENCIES, :_FREQUENCIES]
    flat = waves.reshape(len(residuals), -1)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _close(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], twins: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield the numbers of pairs (first < second) whose hashes differ in few bits, some thousands at a time."""
    for start in range(0, len(hashes), _ROWS):
        differ = np.bitwise_count(hashes[start : start + _ROWS, None] ^ others[None, start:])
        differ[twins[start : start + _ROWS] >= MOST_TWINS] = 64
        first, second = np.nonzero(np.triu(differ <= AKIN_BITS, 1))
        wanted = np.arange(len(first)) - np.searchsorted(first, first) < MOST_TWINS
        first, second = first[wanted], second[wanted]
        for at in range(0, len(first), _PAIRS):
            yield first[at : at + _PAIRS] + start, second[at : at + _PAIRS] + start


def _confirmed(
    thumbnails: Sequence[Thumbnail],
    shared: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    view: int,
) -> Iterator[Alike]:
    one = _residuals([thumbnails[number] for number in first], shared, 0)
    other = _residuals([thumbnails[number] for number in second], shared, view)
    bits = np.bitwise_count(_hash(one) ^ _hash(other))
    for pair in zip(first, second, bits, (one * other).sum(1), strict=True):
        found = Alike(int(pair[0]), int(pair[1]), view, int(pair[2]), float(pair[3]))
        if found.near or (view == 0 and found.likeness >= AKIN_LIKENESS):
            yield found
