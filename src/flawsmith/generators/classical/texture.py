"""Foreign textures: pieces of the training images altered until they no longer look like the product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from flawsmith.core.records import Image
from flawsmith.generators.classical.pixels import Plate, to_plate

Change = Callable[[Plate, np.random.Generator], Plate]
"""Alters HWC in [0, 1]; may leave the range, which is clipped afterwards."""


def _gamma(plate: Plate, rng: np.random.Generator) -> Plate:
    return np.asarray(plate ** np.exp(rng.uniform(-0.9, 0.9)), np.float32)


def _solarise(plate: Plate, rng: np.random.Generator) -> Plate:
    return np.asarray(np.where(plate > rng.uniform(0.2, 0.8), 1 - plate, plate), np.float32)


def _posterise(plate: Plate, rng: np.random.Generator) -> Plate:
    levels = np.float32(rng.integers(2, 7))
    return np.asarray(np.rint(plate * levels) / levels, np.float32)


def _invert(plate: Plate, rng: np.random.Generator) -> Plate:
    return 1 - plate


def _stretch(plate: Plate, rng: np.random.Generator) -> Plate:
    """Spread the grey values over the full range, as autocontrast does."""
    low, high = np.percentile(plate, (2, 98))
    return (plate - np.float32(low)) / np.float32(max(high - low, 1e-3))


def _brighten(plate: Plate, rng: np.random.Generator) -> Plate:
    return plate + rng.uniform(-0.35, 0.35, (1, 1, plate.shape[2])).astype(np.float32)


def _sharpen(plate: Plate, rng: np.random.Generator) -> Plate:
    return np.asarray(plate + rng.uniform(1, 4) * (plate - gaussian_filter(plate, (1.5, 1.5, 0))), np.float32)


CHANGES: tuple[Change, ...] = (_gamma, _solarise, _posterise, _invert, _stretch, _brighten, _sharpen)


def foreign_texture(
    textures: Sequence[Image], shape_HWC: tuple[int, int, int], rng: np.random.Generator, changes: int
) -> Plate:
    """Return a piece of a random texture, turned, resized and altered, HWC in [0, 1] of the shape asked for."""
    plate = to_plate(textures[int(rng.integers(len(textures)))], shape_HWC[2])
    plate = np.rot90(plate, int(rng.integers(4)))
    plate = zoom(plate, (*(float(np.exp(rng.uniform(-0.5, 0.7))),) * 2, 1), order=1)
    need = [max(0, wanted - have) for wanted, have in zip(shape_HWC[:2], plate.shape[:2], strict=True)]
    plate = np.pad(plate, ((0, need[0]), (0, need[1]), (0, 0)), mode="reflect" if min(plate.shape[:2]) > 1 else "edge")
    top, left = (int(rng.integers(plate.shape[axis] - shape_HWC[axis] + 1)) for axis in (0, 1))
    plate = plate[top : top + shape_HWC[0], left : left + shape_HWC[1]]
    for number in rng.permutation(len(CHANGES))[:changes]:
        plate = np.clip(CHANGES[number](plate, rng), 0, 1)
    return np.asarray(plate, np.float32)
