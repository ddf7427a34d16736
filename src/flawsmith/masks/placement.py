"""Where on the object a defect goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from flawsmith.core.errors import DataError
from flawsmith.core.records import Image, Mask
from flawsmith.masks.bank import MaskBank
from flawsmith.masks.drawing import Turn, draw_shape, mask_source, wanted_area, warp
from flawsmith.masks.morphology import tight
from flawsmith.masks.settings import WARPED, MaskSettings

LOOK_PX = 256
"""The object is looked for in a picture shrunk to about this size."""
SEPARATE = 0.75
"""Share of the variance that a threshold must explain (Otsu 1979, eta) before there is an object and a background."""
SPREAD = 0.08
"""Spread of a place around a measured one, as a share of the object's size."""
ON_OBJECT = 0.95
KEPT_SPREAD = 0.01
"""Spread of a kept place, as a share of the object's size."""
OVER_BORDER_PX = 2
"""A mask that touched the picture's border reaches this far over it again."""
KEPT_TURN = np.deg2rad(3.0)
"""Spread of a kept direction."""


@dataclass(frozen=True)
class PlacedMask:
    """A tight mask and where its upper left pixel lies in the picture."""

    top: int
    left: int
    mask: Mask


def find_foreground(image: Image) -> Mask:
    """Return the object's pixels (HW bool): what differs from the background that the picture's border shows.

    A picture that is surface all over, with no background around it, is object everywhere.
    """
    step = max(1, min(image.shape[:2]) // LOOK_PX)
    small = image[::step, ::step].astype(np.float32) / np.iinfo(image.dtype).max
    object_small = _find(ndimage.gaussian_filter(small, (2, 2, 0)))
    found = np.repeat(np.repeat(object_small, step, 0), step, 1)[: image.shape[0], : image.shape[1]]
    missing = [(0, image.shape[axis] - found.shape[axis]) for axis in (0, 1)]
    return np.pad(found, missing, mode="edge")


def _find(picture: NDArray[np.float32]) -> Mask:
    """Separate object from background by colour distance to the border; everything is object where that fails."""
    everything = np.ones(picture.shape[:2], bool)
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    ground = np.median(border, 0)
    distance = np.linalg.norm(picture - ground, axis=2)
    rim = np.linalg.norm(border - ground, axis=1)
    if np.ptp(distance) < 0.1 or (rim < 0.08).mean() < 0.85:
        return everything
    level = float(threshold_otsu(distance))  # type: ignore[no-untyped-call]
    mask = distance > level
    if not mask.any() or mask.all() or _explained(distance, mask) < SEPARATE:
        return everything
    whole = np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(mask, 4), np.ones((5, 5)))))[4:-4, 4:-4]
    numbers, count = ndimage.label(whole)
    if count == 0:
        return everything
    largest = numbers == 1 + int(np.argmax(np.bincount(numbers.ravel())[1:]))
    return np.asarray(largest) if largest.mean() > 0.05 else everything


def _explained(values: NDArray[np.float32], mask: Mask) -> float:
    """Return the share of the variance between the two classes (Otsu 1979, eq. 13)."""
    share = float(mask.mean())
    between = share * (1 - share) * float(values[mask].mean() - values[~mask].mean()) ** 2
    return between / max(float(values.var()), 1e-12)


def draw_placed(
    bank: MaskBank, label: str, foreground: Mask, rng: np.random.Generator, settings: MaskSettings,
    taken: Mask | None = None,
) -> PlacedMask:  # fmt: skip
    """Return a new mask for a class and its place on the foreground (HW), as the settings' pose says.

    It touches nothing that is `taken` (HW); where the class occurs is measured on the whole foreground all the same.
    Raises DataError when it finds no place for the shape drawn, SettingsError for an unknown class or source.
    """
    if settings.pose != "free":
        source = mask_source(bank, rng, settings)
        if source == WARPED:
            return _posed(bank, label, foreground, rng, settings, taken)
        settings = settings.model_copy(update={"sources": {source: 1.0}})
    return place(draw_shape(bank, label, rng, settings), foreground, bank, label, rng, settings, taken)


def _posed(
    bank: MaskBank, label: str, foreground: Mask, rng: np.random.Generator, settings: MaskSettings,
    taken: Mask | None,
) -> PlacedMask:  # fmt: skip
    """Return a training mask, changed a little, where it was on the object, or turned with its place around it."""
    masks = bank.of(label)
    number = masks.draw(rng)
    pose = _pose(rng, settings)
    turn = Turn(pose.angle + float(KEPT_TURN * rng.normal()), pose.flip)
    mask = warp(masks.cutouts[number], wanted_area(masks, number, rng, settings), rng, settings, turn)
    on = tight(foreground if foreground.any() else np.ones_like(foreground))
    spot = masks.centres_yx[number] + KEPT_SPREAD * rng.normal(size=2)
    y, x = pose.of(((spot[0] - 0.5) * on.size_hw[0], (spot[1] - 0.5) * on.size_hw[1]))
    height, width = mask.shape
    top = round((on.top + on.bottom) / 2 + y - height / 2)
    left = round((on.left + on.right) / 2 + x - width / 2)
    top, left = _at_border((top, left), mask, _turned(masks.touching[number], pose), foreground.shape)
    placed = _cut_at_border(PlacedMask(top, left, mask), foreground.shape)
    if placed is not None and _fits(placed, foreground, taken):
        return placed
    raise DataError(
        f"a {label!r} mask of {width} x {height} px does not stay on the object at its own place: give a region of "
        'interest (kit.region), smaller masks (masks.area_px), or masks.pose="free"'
    )


def _pose(rng: np.random.Generator, settings: MaskSettings) -> Turn:
    """Return how a mask and its place turn together about the object's centre."""
    if settings.pose == "around":
        return Turn(float(rng.uniform(0, 2 * np.pi)), float(rng.choice((1, -1))))
    if settings.pose == "mirrored":
        return Turn(float(rng.choice((0, np.pi))), float(rng.choice((1, -1))))
    return Turn(0.0, 1.0)


def _turned(touching: NDArray[np.bool_], pose: Turn) -> set[tuple[int, int]]:
    """Return the directions (y, x) in which a turned mask touches the picture's border; none where it turns freely."""
    outward = np.array([pose.of(each) for each in ((-1, 0), (0, -1), (1, 0), (0, 1))])
    if np.abs(outward - np.rint(outward)).max() > 1e-6:
        return set()
    return {(int(y), int(x)) for y, x in np.rint(outward[touching])}


def _at_border(
    corner: tuple[int, int], mask: Mask, touching: set[tuple[int, int]], picture_hw: tuple[int, ...]
) -> tuple[int, int]:
    """Return the mask's upper left corner, moved so that a mask that touched a border still does.

    What is cut off there is as little as hides that the mask's edge was straight.
    """
    found = list(corner)
    for y, x in touching:
        axis = 0 if y else 1
        far = picture_hw[axis] - mask.shape[axis] + OVER_BORDER_PX
        found[axis] = max(found[axis], far) if y + x > 0 else min(found[axis], -OVER_BORDER_PX)
    return found[0], found[1]


def _cut_at_border(placed: PlacedMask, picture_hw: tuple[int, ...]) -> PlacedMask | None:
    """Return what of a mask lies in the picture, or None where that is less than half of it."""
    top, left = max(placed.top, 0), max(placed.left, 0)
    bottom, right = max(picture_hw[0] - placed.top, 0), max(picture_hw[1] - placed.left, 0)
    inside = placed.mask[top - placed.top : bottom, left - placed.left : right]
    if 2 * inside.sum() < placed.mask.sum():
        return None
    box = tight(inside)
    return PlacedMask(top + box.top, left + box.left, np.ascontiguousarray(box.cut(inside)))


def _fits(placed: PlacedMask, foreground: Mask, taken: Mask | None) -> bool:
    mask, (height, width) = placed.mask, placed.mask.shape
    there = slice(placed.top, placed.top + height), slice(placed.left, placed.left + width)
    if taken is not None and (taken[there] & mask).any():
        return False
    return bool((foreground[there] & mask).sum() >= ON_OBJECT * mask.sum())


def place(
    cutout: Mask, foreground: Mask, bank: MaskBank, label: str, rng: np.random.Generator,
    settings: MaskSettings, taken: Mask | None = None, tries: int = 200,
) -> PlacedMask:  # fmt: skip
    """Return a place for the mask: inside the picture, at least 95 % on the foreground, where the class occurs.

    Raises DataError when none is found in many tries.
    """
    height, width = cutout.shape
    free_hw = foreground.shape[0] - height, foreground.shape[1] - width
    if min(free_hw) < 0 or not foreground.any():
        raise DataError(
            f"a {label!r} mask of {width} x {height} px does not fit a picture of "
            f"{foreground.shape[1]} x {foreground.shape[0]}: use larger backgrounds or smaller masks (masks.area_px)"
        )
    on, centres = tight(foreground), bank.of(label).centres_yx
    for _ in range(tries):
        if rng.random() < settings.anywhere:
            spot = rng.uniform(0, 1, 2)
        else:
            spot = centres[int(rng.integers(len(centres)))] + SPREAD * rng.normal(size=2)
        top = round(on.top + spot[0] * on.size_hw[0] - height / 2)
        left = round(on.left + spot[1] * on.size_hw[1] - width / 2)
        top, left = min(max(top, 0), free_hw[0]), min(max(left, 0), free_hw[1])
        placed = PlacedMask(top, left, cutout)
        if _fits(placed, foreground, taken):
            return placed
    raise DataError(
        f"no place on the object for a {label!r} mask of {width} x {height} px in {tries} tries: give a region of "
        "interest (kit.region), smaller masks (masks.area_px), or switch the search for the object off "
        "(kit.find_object=false)"
    )
