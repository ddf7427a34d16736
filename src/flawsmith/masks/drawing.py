"""New shapes from the mask bank: training masks turned, resized and bent, procedural ones, a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import Mask
from flawsmith.core.registry import unknown
from flawsmith.masks.bank import ClassMasks, MaskBank
from flawsmith.masks.morphology import extent_px, tight
from flawsmith.masks.settings import USER, WARPED, MaskSettings
from flawsmith.masks.shapes import SHAPES

SUPERSAMPLING = 3
"""Masks are warped at this many times their resolution, so that lines of two pixels keep their width."""
SLIGHT_TURN = 0.1
"""Spread, in radians, of the turn of masks that keep their direction."""
LEAST_COVER = 0.15
"""A pixel of which a warped mask covers less is never part of it."""


def draw_shape(bank: MaskBank, label: str, rng: np.random.Generator, settings: MaskSettings) -> Mask:
    """Return a new tight mask for a class. Raises SettingsError for an unknown class or source."""
    masks, source = bank.of(label), mask_source(bank, rng, settings)
    number = masks.draw(rng)
    wanted = wanted_area(masks, number, rng, settings)
    if source == WARPED:
        return warp(masks.cutouts[number], wanted, rng, settings, any_turn(rng, settings))
    if source == USER:
        own = bank.user[int(rng.integers(len(bank.user)))]
        return own if settings.area_px is None else warp(own, wanted, rng, settings, any_turn(rng, settings))
    length = extent_px(masks.cutouts[number]) * np.sqrt(wanted / masks.areas_px[number])
    return SHAPES[source](rng, wanted, float(length))


def mask_source(bank: MaskBank, rng: np.random.Generator, settings: MaskSettings) -> str:
    """Return the source that the next mask is from. Raises SettingsError for one unknown, or "user" without masks."""
    known = [WARPED, USER, *SHAPES]
    for name in settings.sources:
        if name not in known:
            raise SettingsError(unknown("mask source", name, known))
    if settings.sources.get(USER) and not bank.user:
        raise SettingsError(
            "the mask source 'user' needs masks of your own: name their folder (kit.own_masks), or take it out of "
            "kit.masks.sources"
        )
    names, shares = list(settings.sources), np.array(list(settings.sources.values()), float)
    if not names or (shares < 0).any() or shares.sum() <= 0:
        raise SettingsError(f"masks.sources needs at least one positive share, got {settings.sources}")
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def wanted_area(masks: ClassMasks, number: int, rng: np.random.Generator, settings: MaskSettings) -> float:
    """Return an area (px) near that of a class's mask, or within the limits wished for."""
    if settings.area_px is not None:
        low, high = settings.area_px
        if not 0 < low <= high:
            raise SettingsError(f"masks.area_px is (smallest, largest) in px, got {settings.area_px}")
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    jitter = np.exp(settings.size_jitter * rng.normal())
    return float(np.clip(masks.areas_px[number] * jitter, 0.7 * masks.areas_px.min(), 1.4 * masks.areas_px.max()))


class Turn(NamedTuple):
    """A rotation by `angle` (radians) after mirroring left and right (`flip` -1; 1 leaves as it is)."""

    angle: float
    flip: float

    def of(self, offset_yx: tuple[float, float]) -> tuple[float, float]:
        """Return where a point (y, x) relative to the centre goes; `warp` moves pixels the same way."""
        y, x = offset_yx[0], offset_yx[1] * self.flip
        return y * np.cos(self.angle) + x * np.sin(self.angle), x * np.cos(self.angle) - y * np.sin(self.angle)


def any_turn(rng: np.random.Generator, settings: MaskSettings) -> Turn:
    """Return a turn as free as the settings allow."""
    angle = {
        "any": rng.uniform(0, 2 * np.pi),
        "right_angles": np.pi / 2 * rng.integers(4),
        "mirror": np.pi * rng.integers(2) + SLIGHT_TURN * rng.normal(),
        "none": 0.0,
    }[settings.rotate]
    return Turn(float(angle), -1.0 if settings.rotate != "none" and rng.random() < 0.5 else 1.0)


def warp(cutout: Mask, area_px: float, rng: np.random.Generator, settings: MaskSettings, turn: Turn) -> Mask:
    """Return a cutout turned, scaled and elastically bent, as a tight mask; never empty."""
    scale = float(np.sqrt(area_px / cutout.sum()))
    angle, flip = turn
    half = np.hypot(*cutout.shape) / 2 * scale + 2 + 2 * settings.elastic_px * max(1.0, scale)
    side = int(np.ceil(2 * half)) * SUPERSAMPLING
    rows, columns = (np.indices((side, side)) - (side - 1) / 2) / SUPERSAMPLING
    bend = settings.elastic_px * max(extent_px(cutout) * scale, 8) / 32
    rows, columns = rows + bend * _smooth(rng, side), columns + bend * _smooth(rng, side)
    turned = np.stack([rows * np.cos(angle) - columns * np.sin(angle), rows * np.sin(angle) + columns * np.cos(angle)])
    turned = turned / scale * np.array([1.0, flip])[:, None, None]
    middle = (np.array(cutout.shape)[:, None, None] - 1) / 2
    fine = ndimage.map_coordinates(cutout.astype(np.float32), turned + middle, order=1, mode="grid-constant")
    soft = fine.reshape(side // SUPERSAMPLING, SUPERSAMPLING, side // SUPERSAMPLING, SUPERSAMPLING).mean((1, 3))
    return _of_area(soft, area_px, _parts(cutout))


def _of_area(soft: NDArray[np.float32], area_px: float, parts: int) -> Mask:
    """Return the tight mask of the most covered pixels, as many as asked for; more where thin lines would break."""
    count = int(np.clip(round(area_px), 1, soft.size))
    level = float(np.partition(soft.ravel(), soft.size - count)[soft.size - count])
    level = float(np.clip(level, LEAST_COVER, max(0.6, 0.75 * float(soft.max()))))
    mask = usual = soft >= min(level, float(soft.max()))
    while level > LEAST_COVER and _parts(mask) > parts:
        level = max(0.85 * level, LEAST_COVER)
        mask = soft >= level
    whole = mask if _parts(mask) <= parts else usual
    return np.ascontiguousarray(tight(whole).cut(whole))


def _parts(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


def _smooth(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Return a smooth field (side, side) of about unit spread; finer bends would make straight scratches wavy."""
    coarse = rng.normal(size=(3, 3))
    return np.asarray(ndimage.zoom(coarse, side / 3, order=3, grid_mode=True, mode="nearest")[:side, :side])
