"""The pieces of pictures that are compared: squares around defects, and the like of them on defect-free parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import GOOD, Box, Entry, Image
from flawsmith.data.loading import load_sample

TONES = (0.2, 99.8)
"""Percentiles that 16-bit pictures are stretched between: they seldom fill their range."""


@dataclass(frozen=True)
class Spot:
    """A place in a picture: its middle as a share of height and width, and the side of its square in pixels."""

    middle: tuple[float, float]
    side: float


@dataclass(frozen=True)
class Crop:
    """A piece of a picture with its class and its picture's group.

    `room` (HWC) is the piece with as much again around it, as far as the picture goes; the crop lies in it at `spot`.
    """

    label: str
    group: str
    room: Image
    spot: Spot

    @property
    def image(self) -> Image:
        """The crop's pixels, HWC."""
        return cut(self.room, self.spot)


@dataclass(frozen=True)
class Tones:
    """Darkest and brightest level that a product's 16-bit pictures use."""

    low: float
    high: float

    def stretch(self, image: Image) -> Image:
        """Return a picture (HWC) whose tones fill the range of its type."""
        top = np.iinfo(image.dtype).max
        stretched = (image.astype(np.float32) - self.low) * np.float32(top / (self.high - self.low))
        found: Image = np.clip(np.rint(stretched), 0, top).astype(image.dtype)
        return found


def tones_of(images: Sequence[Image]) -> Tones | None:
    """Return the tones of pictures of one depth; None for 8-bit ones, which are taken as they are."""
    if not images or images[0].dtype == np.uint8:
        return None
    low, high = np.percentile(np.concatenate([each[::2, ::2].ravel() for each in images]), TONES)
    return Tones(float(low), float(max(high, low + 1)))


def spot_of(box_xyxy: Box, size_hw: tuple[int, int], margin: float, least_px: int) -> Spot:
    """Return where a defect is cut out: its box with `margin` of its longer side on every side, `least_px` at least."""
    left, top, right, bottom = box_xyxy
    side = max((1 + 2 * margin) * max(right - left, bottom - top), least_px)
    return Spot(((top + bottom) / 2 / size_hw[0], (left + right) / 2 / size_hw[1]), side)


def cut(image: Image, spot: Spot) -> Image:
    """Return the square at a spot, moved inside the picture, and no larger than its shorter side."""
    height, width = image.shape[:2]
    side = max(1, min(round(spot.side), height, width))
    window: Window = window_around((spot.middle[0] * height, spot.middle[1] * width), (side, side), (height, width))
    return window.cut(image)


def crop_at(image: Image, spot: Spot, label: str, group: str) -> Crop:
    """Return the crop of a picture at a spot; it keeps only the surroundings of the spot in memory."""
    height, width = image.shape[:2]
    y, x = spot.middle[0] * height, spot.middle[1] * width
    room = window_around((y, x), (round(2 * spot.side),) * 2, (height, width))
    rows, columns = room.size_hw
    inside = Spot(((y - room.top) / rows, (x - room.left) / columns), spot.side)
    return Crop(label, group, room.cut(image).copy(), inside)


def defect_crops(entries: Iterable[Entry], margin: float, least_px: int) -> list[tuple[Crop, Spot]]:
    """Return a crop per defect instance that has a mask, with its spot in the picture, in the order of the entries."""
    found = []
    for entry in entries:
        if entry.label == GOOD or not entry.masks:
            continue
        sample = load_sample(entry)
        for each in sample.defects:
            spot = spot_of(each.box_xyxy, sample.size_hw, margin, least_px)
            found.append((crop_at(sample.image, spot, each.label, entry.group), spot))
    return found


def good_crops(entries: Sequence[Entry], spots: Sequence[Spot], count: int, rng: np.random.Generator) -> list[Crop]:
    """Return `count` crops of defect-free pictures, at places and of sizes like those of the defects at `spots`."""
    found = []
    for _ in range(count):
        entry = entries[int(rng.integers(len(entries)))]
        image = load_sample(entry).image
        spot = moved(spots[int(rng.integers(len(spots)))], image.shape[:2], 0.5, 1.0, rng)
        found.append(crop_at(image, spot, GOOD, entry.group))
    return found


def moved(spot: Spot, size_hw: tuple[int, ...], shift: float, scale: float, rng: np.random.Generator) -> Spot:
    """Return a spot shifted by up to `shift` of its side and resized by up to the factor `scale`, either way."""
    side = spot.side * float(scale ** rng.uniform(-1, 1))
    steps = spot.side * rng.uniform(-shift, shift, 2)
    return Spot((spot.middle[0] + float(steps[0]) / size_hw[0], spot.middle[1] + float(steps[1]) / size_hw[1]), side)
