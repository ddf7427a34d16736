"""Pictures of one part under different names: mirrored, turned by quarters, rescaled, recompressed, relit, taken twice.

What is compared is the fine structure that one part has and another of the same product has not: grain, marks, dirt.
Whole pictures are compared; a cut-out, or a picture turned by a few degrees, is not recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from flawsmith.core.links import firsts
from flawsmith.core.records import Catalog, Entry, Image
from flawsmith.core.symmetry import View
from flawsmith.data.image_io import read_image
from flawsmith.data.natural import natural_key

SIDE = 96
"""Pixels across a fingerprint: enough for grain, few enough to survive a picture of 60 % the size."""
SPREADS = 5
"""How many deviations above the usual likeness of strangers the limit lies."""
LEAST_LIMIT, SURE_LIMIT = 0.5, 0.9
"""The limit is never below the first; it is the second where there are not two groups to measure it on."""
BLOCK = 512
"""Fingerprints compared at a time."""
VIEWS = [View(down, across, swapped) for down in (1, -1) for across in (1, -1) for swapped in (False, True)]
_ONE_BELOW = 0.1587
"""The share of a normal distribution below one deviation under its middle."""
Prints = NDArray[np.float32]
Likeness = NDArray[np.float32]


@dataclass(frozen=True)
class Lookalikes:
    """What all pictures of a product share (`common`, a fingerprint), and how alike two of one part are at least."""

    common: Prints
    limit: float

    def pairs(self, prints: Prints, others: Prints) -> list[tuple[int, int, float]]:
        """Return (place in `prints`, place in `others`, likeness) of every pair above the limit."""
        found = []
        for start in range(0, len(prints), BLOCK):
            alike = likeness(without(prints[start : start + BLOCK], self.common), others, self.common)
            for row, column in np.argwhere(alike > self.limit):
                found.append((start + int(row), int(column), float(alike[row, column])))
        return found


def measure(prints: Prints, groups: Sequence[str]) -> Lookalikes:
    """Measure how alike pictures of different groups are, and set the limit well above that.

    Taken is each picture's nearest stranger, of those likenesses (as z = artanh r, Fisher 1915) the median, and their
    spread from the half below it: both stay while fewer than half of the pictures have a twin in another group.
    """
    common = prints.mean(0)
    if len(set(groups)) < 2:
        return Lookalikes(common, SURE_LIMIT)
    names = np.array(groups)
    flat = without(prints, common).reshape(len(prints), -1)
    nearest = [
        np.where(names[start : start + BLOCK, None] != names[None], flat[start : start + BLOCK] @ flat.T, -1).max(1)
        for start in range(0, len(flat), BLOCK)
    ]
    lower, usual = np.quantile(np.arctanh(np.clip(np.concatenate(nearest), 0, 0.999)), [_ONE_BELOW, 0.5])
    return Lookalikes(common, max(LEAST_LIMIT, float(np.tanh(usual + SPREADS * (usual - lower)))))


def join_groups(catalog: Catalog) -> Catalog:
    """Return a catalog in which no two groups show one part: groups with a lookalike between them become one."""
    ordered = sorted(catalog, key=lambda entry: natural_key(entry.id))
    groups = joined(fingerprints(ordered), [entry.group for entry in ordered])
    group_of = {entry.id: group for entry, group in zip(ordered, groups, strict=True)}
    return catalog.with_entries(replace(entry, group=group_of[entry.id]) for entry in catalog)


def joined(prints: Prints, groups: Sequence[str]) -> list[str]:
    """Return each picture's group, groups with a lookalike between them joined under the name of the first.

    Joined until nothing changes: measured again on what this returns, no two groups hold a lookalike.
    """
    groups = list(groups)
    while True:
        found = measure(prints, groups).pairs(prints, prints)
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


def fingerprints(entries: Iterable[Entry]) -> Prints:
    """Return the fingerprints (N, SIDE, SIDE) of entries, one image in memory at a time."""
    found = [fingerprint(read_image(entry.image)) for entry in entries]
    prints: Prints = np.array(found, np.float32).reshape(-1, SIDE, SIDE)
    return prints


def likeness(prints: Prints, others: Prints, common: Prints) -> Likeness:
    """Return (N, M): how each fingerprint, already without `common`, correlates with the best view of others."""
    flat = prints.reshape(len(prints), -1)
    best = np.full((len(prints), len(others)), -1, np.float32)
    for view in VIEWS if len(others) else ():
        turned = without(np.stack([view.of(each) for each in others]), common)
        np.maximum(best, flat @ turned.reshape(len(others), -1).T, out=best)
    return best


def without(prints: Prints, common: Prints) -> Prints:
    """Return fingerprints without what all pictures of the product share, and of length 1 again."""
    size = float((common**2).sum())
    if size < 1e-9:
        return prints
    return _unit(prints - (prints * common).sum((1, 2), keepdims=True) / size * common)


def _unit(prints: Prints) -> Prints:
    length = np.sqrt((prints**2).sum((1, 2), keepdims=True))
    return np.asarray(prints / np.maximum(length, 1e-6), np.float32)
