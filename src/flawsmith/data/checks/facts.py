"""What the checks need to know of one image and its masks, each file decoded once. Pure: may be farmed out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import ImageError
from flawsmith.core.records import GOOD, Entry, Image, MaskSource
from flawsmith.data.checks.drift import Drift, drift
from flawsmith.data.checks.thumbnails import Thumbnail, grey, thumbnail
from flawsmith.data.image_io import MOST_PIXELS, Head, image_head, read_image, read_mask
from flawsmith.data.rasterise import rasterise
from flawsmith.data.readers.inside import leaves

SOFT_SHARE = (0.05, 0.95)
"""A mask's grey level is "between" from 5 % to 95 % of its brightest."""
_LARGE_PX = 50_000_000
_alone = threading.Lock()
"""Images of more pixels than this are looked at one at a time, however many threads there are."""


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be used: unreadable, truncated, too_large, link_outside, or mask_size; the reason in words."""

    kind: str
    message: str


@dataclass(frozen=True)
class MaskFacts:
    """What one mask file is like.

    `share` is the part of its pixels that it selects, `highest` its brightest grey level, `soft` the pixels with grey
    levels between, per selected pixel; `drift` is how it would fit the picture better elsewhere.
    """

    fault: Fault | None = None
    size_hw: tuple[int, int] = (0, 0)
    share: float = 0.0
    highest: int = 0
    soft: float = 0.0
    drift: Drift | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What one image is like: some numbers, 2 KB of thumbnail and its masks. With a fault, nothing else is known.

    `brightness` and `contrast` are mean and deviation of the thumbnail, in [0, 1].
    """

    fault: Fault | None = None
    head: Head | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    thumbnail: Thumbnail | None = None
    masks: tuple[MaskFacts, ...] = ()


def image_facts(entry: Entry, root: Path) -> ImageFacts:
    """Return the facts of an entry. No file is opened that a symbolic link takes out of `root`."""
    head = _head(entry.image, root)
    if isinstance(head, Fault):
        return ImageFacts(head)
    large = head.size_hw[0] * head.size_hw[1] > _LARGE_PX
    turn: AbstractContextManager[Any] = _alone if large else nullcontext()
    with turn:
        return _facts(entry, root, head)


def _facts(entry: Entry, root: Path, head: Head) -> ImageFacts:
    image = _pixels(entry.image)
    if isinstance(image, Fault):
        return ImageFacts(image)
    small = thumbnail(image)
    plane = grey(image) if entry.masks else small
    masks = tuple(_mask_facts(file, root, plane) for file in entry.masks)
    deviation = small - small.mean()
    contrast = float(deviation.std())
    pattern = np.asarray(deviation / max(contrast, 1e-6), np.float16)
    return ImageFacts(None, head, float(small.mean()), contrast, pattern, masks)


def _drawn_facts(drawn: DrawnMask, plane: NDArray[np.float32]) -> MaskFacts:
    """Return the facts of a mask given in numbers; one from a box says too little to be called shifted."""
    size_hw = (plane.shape[0], plane.shape[1])
    try:
        mask = rasterise(drawn, size_hw)
    except ImageError as error:
        return MaskFacts(Fault("mask_size", str(error)))
    return MaskFacts(None, size_hw, float(mask.mean()), drift=None if drawn.approximate else drift(plane, mask))


def measured_masks(entry: Entry, facts: ImageFacts) -> Iterator[tuple[MaskSource, MaskFacts]]:
    """Yield the masks of a defect image that can be read and have its size."""
    for file, mask in zip(entry.masks, facts.masks, strict=bool(facts.masks)):
        if entry.label != GOOD and mask.fault is None and facts.head and mask.size_hw == facts.head.size_hw:
            yield file, mask


def _head(path: Path, root: Path) -> Head | Fault:
    if leaves(path, root):
        where = "is reached by a symbolic link that leads out of the data folder"
        return Fault("link_outside", f"{path} {where}: it is not opened; put the file itself there")
    try:
        head = image_head(path)
    except ImageError as error:
        return Fault("unreadable", str(error))
    height, width = head.size_hw
    if height * width > MOST_PIXELS:
        text = f"{path} claims {width} x {height} pixels, expected at most {MOST_PIXELS}: it is not decoded"
        return Fault("too_large", f"{text}; cut it into tiles")
    return head


def _pixels(path: Path) -> Image | Fault:
    try:
        return read_image(path)
    except ImageError as error:
        # A cause is the decoder's own error: behind a sound head, it ran out of sound pixels.
        return Fault("truncated" if error.__cause__ is not None else "unreadable", str(error))


def _mask_facts(file: MaskSource, root: Path, plane: NDArray[np.float32]) -> MaskFacts:
    if isinstance(file, DrawnMask):
        return _drawn_facts(file, plane)
    head = _head(file.path, root)
    if isinstance(head, Fault):
        return MaskFacts(head)
    if head.size_hw != plane.shape:
        return MaskFacts(size_hw=head.size_hw)
    image = _pixels(file.path)
    if isinstance(image, Fault):
        return MaskFacts(image)
    levels, size_hw = image.max(axis=2), head.size_hw
    # Selected by value, a palette's index counts, which only `read_mask` sees.
    mask = levels >= file.threshold if file.value is None else read_mask(file, size_hw)
    highest, soft = int(levels.max()), 0.0
    if file.value is None and mask.any():
        low, high = (share * highest for share in SOFT_SHARE)
        soft = float(((levels > low) & (levels < high)).sum() / mask.sum())
    return MaskFacts(None, size_hw, float(mask.mean()), highest, soft, drift(plane, mask))
