"""Pictures of one part under different names: mirrored, turned by quarters, rescaled, recompressed, relit, taken twice.

What is compared is the fine structure that one part has and another of the same product has not: grain, marks, dirt.
Whole pictures are compared; a cut-out, or a picture turned by a few degrees, is not recognised. The quick look at
coarse structure, for people to judge, is `data.checks.alike`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from flawsmith.core.links import firsts
from flawsmith.core.records import Catalog, Entry, Image
from flawsmith.core.rng import stream
from flawsmith.core.symmetry import View
from flawsmith.data.image_io import read_image
from flawsmith.data.natural import natural_key
from flawsmith.data.parallel import in_threads

SIDE = 96
"""Pixels across a fingerprint: enough for grain, few enough to survive a picture of 60 % the size."""
SPREADS = 5
"""How many deviations above the usual likeness of strangers the limit lies."""
LEAST_LIMIT, SURE_LIMIT = 0.5, 0.9
"""The limit is never below the first; it is the second where there are not two groups to measure it on."""
BLOCK, ROWS = 512, 8192
"""Fingerprints compared at a time, and sketches."""
MANY = 10_000
"""From more pictures on, sketches come first."""
SIZE, SLACK = 384, 4.0
"""Pixels of a sketch, and by how many of its own deviations one may be less alike than the limit."""
_PIXELS = stream(0, "sketch").choice(SIDE * SIDE, SIZE, replace=False)
VIEWS = [View(down, across, swapped) for down in (1, -1) for across in (1, -1) for swapped in (False, True)]
_ONE_BELOW = 0.1587
"""The share of a normal distribution below one deviation under its middle."""
Prints = NDArray[np.float32]
Places = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Lookalikes:
    """What all pictures of a product share (`common`, a fingerprint), and how alike two of one part are at least.

    With `quick`, only pairs whose sketches are nearly that much alike are compared in full: see `measure`.
    """

    common: Prints
    limit: float
    quick: bool = False

    def pairs(self, prints: Prints, others: Prints) -> list[tuple[int, int, float]]:
        """Return (place in `prints`, place in `others`, likeness) of every pair above the limit.

        Of a set with itself, each pair stands there once.
        """
        drawn = np.concatenate([np.zeros((0, SIZE), np.float32), *self._sketches(prints)]) if self.quick else None
        found: list[tuple[int, int, float]] = []
        for start in range(0, len(others), BLOCK):
            seen = [self._flat(view.of(each) for each in others[start : start + BLOCK]) for view in VIEWS]
            stop = min(len(prints), start + BLOCK) if prints is others else len(prints)
            for rows, columns in self._chosen(drawn, seen, stop):
                mine = self._flat(prints[rows])
                best = np.max([mine @ turned[columns].T for turned in seen], axis=0)
                if prints is others:
                    best[rows[:, None] >= start + columns] = -1
                found += [
                    (int(rows[row]), start + int(columns[column]), float(best[row, column]))
                    for row, column in np.argwhere(best > self.limit)
                ]
        return sorted(found)

    def _chosen(self, drawn: Prints | None, seen: list[Prints], stop: int) -> Iterator[tuple[Places, Places]]:
        """Yield places of prints and columns of `seen` that are worth comparing with each other, some at a time."""
        columns = np.arange(len(seen[0]))
        if drawn is None:
            yield from ((np.arange(start, min(start + BLOCK, stop)), columns) for start in range(0, stop, BLOCK))
            return
        least = self.limit - SLACK * (1 - self.limit**2) / np.sqrt(SIZE)
        sketches = [sketch(turned) for turned in seen]
        for start in range(0, stop, ROWS):
            mine = drawn[start : min(start + ROWS, stop)]
            near = np.any([mine @ each.T > least for each in sketches], axis=0)
            for row in np.flatnonzero(near.any(1)):
                yield np.array([start + row]), np.flatnonzero(near[row])

    def _flat(self, prints: Iterable[Prints]) -> Prints:
        return without(np.stack(list(prints)).astype(np.float32), self.common).reshape(-1, SIDE * SIDE)

    def _sketches(self, prints: Prints) -> Iterator[Prints]:
        return (sketch(self._flat(prints[start : start + BLOCK])) for start in range(0, len(prints), BLOCK))

    def nearest(self, prints: Prints, groups: Sequence[str]) -> Prints:
        """Return (N,): how alike each picture is, upright, to the one of another group that is most alike.

        With `quick`, to the one whose sketch is most alike.
        """
        names = np.unique(np.array(groups), return_inverse=True)[1]
        blocks = [np.arange(start, min(start + BLOCK, len(prints))) for start in range(0, len(prints), BLOCK)]
        drawn = list(self._sketches(prints)) if self.quick else None
        best, place = np.full(len(prints), -1, np.float32), np.zeros(len(prints), np.int64)
        for number, rows in enumerate(blocks):
            mine = drawn[number] if drawn else self._flat(prints[rows])
            for other, columns in enumerate(blocks):
                alike = mine @ (drawn[other] if drawn else self._flat(prints[columns])).T
                alike[names[rows, None] == names[columns]] = -1
                better = alike.max(1) > best[rows]
                best[rows[better]] = alike.max(1)[better]
                place[rows[better]] = columns[alike.argmax(1)[better]]
            if drawn:
                best[rows] = (self._flat(prints[rows]) * self._flat(prints[place[rows]])).sum(1)
        return best


def measure(prints: Prints, groups: Sequence[str], quick: bool | None = None) -> Lookalikes:
    """Measure how alike pictures of different groups are, and set the limit well above that.

    Taken is each picture's nearest stranger, of those likenesses (as z = artanh r, Fisher 1915) the median, and their
    spread from the half below it: both stay while fewer than half of the pictures have a twin in another group.
    `quick` (by itself from `MANY` pictures on) finds nearest strangers and pairs by sketches, a 24th of the work.
    """
    parts = (prints[start : start + BLOCK].sum(0, dtype=np.float64) for start in range(0, len(prints), BLOCK))
    common = np.asarray(sum(parts) / max(1, len(prints)), np.float32)
    found = Lookalikes(common, SURE_LIMIT, len(prints) > MANY if quick is None else quick)
    if len(set(groups)) < 2:
        return found
    nearest = np.clip(found.nearest(prints, groups), 0, 0.999)
    lower, usual = np.quantile(np.arctanh(nearest), [_ONE_BELOW, 0.5])
    return replace(found, limit=max(LEAST_LIMIT, float(np.tanh(usual + SPREADS * (usual - lower)))))


def join_groups(catalog: Catalog) -> Catalog:
    """Return a catalog in which no two groups show one part: groups with a lookalike between them become one."""
    ordered = sorted(catalog, key=lambda entry: natural_key(entry.id))
    groups = joined(fingerprints(ordered), [entry.group for entry in ordered])
    group_of = {entry.id: group for entry, group in zip(ordered, groups, strict=True)}
    return catalog.with_entries(replace(entry, group=group_of[entry.id]) for entry in catalog)


def joined(prints: Prints, groups: Sequence[str], quick: bool | None = None) -> list[str]:
    """Return each picture's group, groups with a lookalike between them joined under the name of the first.

    Joined until nothing changes: measured again on what this returns, no two groups hold a lookalike.
    """
    groups = list(groups)
    while True:
        found = measure(prints, groups, quick).pairs(prints, prints)
        across = [(groups[one], groups[other]) for one, other, _ in found if groups[one] != groups[other]]
        if not across:
            return groups
        groups = _merged(groups, across)


def _merged(groups: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    place = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    first, names = firsts([(place[one], place[other]) for one, other in pairs], len(place)), list(place)
    return [names[first[place[group]]] for group in groups]


def fingerprint(image: Image) -> Prints:
    """Return the fine structure (SIDE, SIDE) of an image, free of its brightness, contrast and shading, of length 1.

    A picture without any structure gives zeros, alike to nothing.
    """
    grey = image.mean(2, dtype=np.float32) / np.iinfo(image.dtype).max
    small = np.asarray(Pillow.fromarray(grey).resize((SIDE, SIDE), Pillow.Resampling.BOX))
    tones = np.log(small + 1 / 16)
    detail = tones - gaussian_filter(tones, 2.0)
    even = detail / (np.sqrt(gaussian_filter(detail**2, 8.0)) + 1e-3)
    found: Prints = _unit((even - even.mean()).astype(np.float32)[None])[0]
    return found


def fingerprints(entries: Sequence[Entry]) -> Prints:
    """Return the fingerprints (N, SIDE, SIDE) of entries; those of very many lie in a temporary file."""
    found = in_threads(_fingerprint, entries)
    if len(entries) <= MANY:
        return np.array(list(found), np.float32).reshape(-1, SIDE, SIDE)
    with tempfile.TemporaryFile() as file:
        prints = np.memmap(file, np.float16, "w+", shape=(len(entries), SIDE, SIDE))
    for number, each in enumerate(found):
        prints[number] = each
    return cast(Prints, prints)


def _fingerprint(entry: Entry) -> Prints:
    return fingerprint(read_image(entry.image))


def sketch(flat: Prints) -> Prints:
    """Return `SIZE` pixels (N, SIZE) of flat fingerprints (N, SIDE * SIDE), of length 1 again.

    Their correlation is that of the whole, r, but for a deviation of about (1 - r^2) / sqrt(SIZE).
    """
    some = flat[:, _PIXELS]
    return np.asarray(some / np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-6), np.float32)


def without(prints: Prints, common: Prints) -> Prints:
    """Return fingerprints without what all pictures of the product share, and of length 1 again."""
    size = float((common**2).sum())
    if size < 1e-9:
        return prints
    return _unit(prints - (prints * common).sum((1, 2), keepdims=True) / size * common)


def _unit(prints: Prints) -> Prints:
    length = np.sqrt((prints**2).sum((1, 2), keepdims=True))
    return np.asarray(prints / np.maximum(length, 1e-6), np.float32)
