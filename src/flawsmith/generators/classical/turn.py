"""Donors: choosing a training defect for a place, turning and resizing it, and laying it on the crop's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from flawsmith.core.records import Mask, Patch
from flawsmith.core.symmetry import draw_view
from flawsmith.generators.classical.bank import Cutout
from flawsmith.generators.classical.pixels import Plate, to_plate
from flawsmith.generators.classical.settings import TurnSettings
from flawsmith.masks.morphology import extent_px

CLEAR_PX = 4
"""A pasted defect keeps at least this far from the crop's border, so that its feather ends inside."""
SIZE_TOLERANCE = 0.4
"""How strictly a donor's size follows the size asked for: spread of the log ratio of their extents."""


@dataclass(frozen=True)
class Donor:
    """A training defect on the grid of a crop: pixels (HWC in [0, 1]), mask, and where the pixels are known (HW).

    Beyond the cut-out, where nothing is known, the pixels are mirrored. `source` is the id of the image it comes from.
    """

    plate: Plate
    mask: Mask
    known: Mask
    source: str


def choose(cutouts: Sequence[Cutout], patch: Patch, rng: np.random.Generator) -> Cutout:
    """Draw a cut-out, those about as large as the patch's mask more often, so that sizes keep their distribution."""
    wanted = np.log(_extent(patch.mask))
    ratios = np.array([np.log(_extent(cutout.mask)) - wanted for cutout in cutouts])
    weights = np.exp(-0.5 * ((np.abs(ratios) - np.abs(ratios).min()) / SIZE_TOLERANCE) ** 2)
    return cutouts[int(rng.choice(len(cutouts), p=weights / weights.sum()))]


def _extent(mask: Mask) -> float:
    return float(extent_px(mask) or min(mask.shape))


def draw_turn(rng: np.random.Generator, settings: TurnSettings) -> NDArray[np.float64]:
    """Return a random 2 x 2 matrix (y, x): one of the views allowed, rotation and scale."""
    view = draw_view(settings.symmetry, rng)
    angle = np.deg2rad(rng.uniform(-settings.rotation_deg, settings.rotation_deg))
    scale = np.exp(rng.uniform(np.log(settings.least_scale), np.log(max(settings.most_scale, settings.least_scale))))
    return np.asarray(scale * _rotation(angle) @ view.matrix)


def _rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def lay(cutout: Cutout, patch: Patch, turn: NDArray[np.float64]) -> Donor:
    """Return the cut-out turned, its mask's centroid at the patch's, moved and if need be shrunk to stay inside."""
    points = np.argwhere(cutout.mask).astype(np.float64)
    center = np.rint(points.mean(0))
    room = np.maximum(np.array(patch.mask.shape) - 2 * CLEAR_PX, 1)
    placed = (points - center) @ turn.T
    shrink = min(1.0, float((room / (np.ptp(placed, axis=0) + 1)).min()))
    turn, placed = turn * shrink, placed * shrink
    target = np.rint(_centroid(patch.mask))
    low, high = np.ceil(CLEAR_PX - placed.min(0)), np.floor(np.array(patch.mask.shape) - 1 - CLEAR_PX - placed.max(0))
    target = np.where(low <= high, np.clip(target, low, np.maximum(low, high)), np.rint((low + high) / 2))
    back = np.asarray(np.linalg.inv(turn), np.float64)
    return _warp(cutout, patch, back, center - back @ target)


def _centroid(mask: Mask) -> NDArray[np.float64]:
    return np.argwhere(mask).mean(0) if mask.any() else (np.array(mask.shape) - 1) / 2


def _warp(cutout: Cutout, patch: Patch, back: NDArray[np.float64], offset: NDArray[np.float64]) -> Donor:
    hw, plate = patch.mask.shape, to_plate(cutout.image, patch.background.shape[2])
    shrink = float(np.sqrt(abs(np.linalg.det(back))))
    if shrink > 1.3:
        plate = gaussian_filter(plate, (0.35 * shrink, 0.35 * shrink, 0))
    layers = [affine_transform(plate[..., c], back, offset, hw, order=1, mode="mirror") for c in range(plate.shape[2])]
    share = affine_transform(cutout.mask.astype(np.float32), back, offset, hw, order=1)
    mask = share >= min(0.45, float(share.max()))
    known = affine_transform(np.ones(cutout.mask.shape, np.float32), back, offset, hw, order=1) > 0.999
    return Donor(np.stack(layers, 2).astype(np.float32), mask & (share > 0), known, cutout.source)
