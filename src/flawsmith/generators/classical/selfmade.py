"""Painting without training defects: foreign texture under Perlin noise, and pieces of the background itself."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform

from flawsmith.core.records import Mask, Painting, Patch
from flawsmith.generators.classical.bank import Bank
from flawsmith.generators.classical.noise import perlin
from flawsmith.generators.classical.pixels import Plate, lay_over, to_plate
from flawsmith.generators.classical.settings import CutPasteSettings, PerlinSettings
from flawsmith.generators.classical.texture import foreign_texture
from flawsmith.masks.morphology import tight

THRESHOLD = 0.5
"""Noise above this is anomalous, as in DRAEM's published code."""
TRIES = 8
"""Noise fields drawn until one covers something of the place asked for; then the mask asked for is taken."""


def perlin_texture(patch: Patch, bank: Bank, settings: PerlinSettings, rng: np.random.Generator) -> Painting:
    """Blend a foreign texture in under a Perlin-noise mask inside the box asked for.

    DRAEM (Zavrtanik, Kristan, Skočaj, ICCV 2021), eq. 2. The textures are altered pieces of the training images, where
    the paper takes a texture data set.
    """
    mask = _noise_mask(patch, rng)
    shape = (*patch.mask.shape, patch.background.shape[2])
    texture = foreign_texture(bank.textures, shape, rng, settings.changes)
    opacity = np.float32(rng.uniform(settings.least_opacity, max(settings.most_opacity, settings.least_opacity)))
    return Painting(lay_over(patch.background, texture, mask * opacity), mask)


def _noise_mask(patch: Patch, rng: np.random.Generator) -> Mask:
    box = _box(patch.mask)
    hw = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    y, x = (np.linspace(-1, 1, size) for size in hw)
    # Falls to nothing at the box's border: a blob cut off straight would give the generator away.
    fall = 1 - np.maximum(np.abs(y)[:, None], np.abs(x)[None]) ** 6
    mask = np.zeros(patch.mask.shape, bool)
    for _ in range(TRIES):
        cell = max(3.0, max(hw) * 2.0 ** -rng.uniform(0, 4))
        blobs = perlin(rng, hw, cell) * fall > THRESHOLD
        if blobs.sum() >= max(4, 0.03 * blobs.size):
            mask[box] = blobs
            return mask
    return patch.mask.copy()


def _box(mask: Mask) -> tuple[slice, slice]:
    """Return the mask's box; of an empty mask the crop's middle."""
    if not mask.any():
        height, width = mask.shape
        return slice(height // 4, max(height * 3 // 4, 1)), slice(width // 4, max(width * 3 // 4, 1))
    box = tight(mask)
    return slice(box.top, box.bottom), slice(box.left, box.right)


def cutpaste(patch: Patch, bank: Bank, settings: CutPasteSettings, rng: np.random.Generator) -> Painting:
    """Paste a jittered rectangle of the crop somewhere else in it: upright, or thin and turned, a scar
    (CutPaste, Li et al. 2021, sections 2.2 and 2.3).
    """
    box = _box(patch.mask)
    extent = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    scar = rng.random() < settings.scar_share
    size_hw = _scar_size(extent, rng) if scar else _rectangle_size(extent, rng)
    angle = rng.uniform(0, np.pi) if scar else 0.0
    target = np.array([(side.start + side.stop - 1) / 2 for side in box])
    mask = _rectangle(patch.mask.shape, target, size_hw, angle)
    moved = _moved(patch, target, size_hw, angle, rng)
    return Painting(lay_over(patch.background, _jitter(moved, settings.jitter, rng), mask.astype(np.float32)), mask)


def _rectangle_size(extent: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
    """Return height and width with the box's area and the paper's aspect ratios, from 0.3 to 3.3."""
    aspect, area = np.exp(rng.uniform(np.log(0.3), np.log(3.3))), max(extent[0] * extent[1], 9)
    return max(2.0, float(np.sqrt(area * aspect))), max(2.0, float(np.sqrt(area / aspect)))


def _scar_size(extent: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
    """Return width and length in the paper's proportions: 2 to 16 px wide, 10 to 25 px long."""
    length = max(max(extent) * rng.uniform(0.7, 1.1), 5.0)
    return max(2.0, float(length * rng.uniform(0.1, 0.5))), float(length)


def _rectangle(hw: tuple[int, int], center_yx: Plate, size_hw: tuple[float, float], angle: float) -> Mask:
    y, x = np.mgrid[: hw[0], : hw[1]]
    dy, dx = y - center_yx[0], x - center_yx[1]
    across, along = dy * np.cos(angle) - dx * np.sin(angle), dy * np.sin(angle) + dx * np.cos(angle)
    return np.asarray((np.abs(across) <= size_hw[0] / 2) & (np.abs(along) <= size_hw[1] / 2))


def _moved(
    patch: Patch, target_yx: Plate, size_hw: tuple[float, float], angle: float, rng: np.random.Generator
) -> Plate:
    """Return the background moved so that a piece of it from elsewhere lies at the target, turned by `angle`."""
    half = np.abs(np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])) @ size_hw / 2
    hw = np.array(patch.mask.shape)
    low, high = half, hw - 1 - half
    # The farthest of a few places: the nearest would paste the piece back onto itself.
    spots = [np.where(low < high, rng.uniform(low, np.maximum(low, high)), hw / 2) for _ in range(4)]
    source = np.rint(max(spots, key=lambda spot: float(np.hypot(*(spot - target_yx)))))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plate = to_plate(patch.background, patch.background.shape[2])
    offset = source - turn @ np.rint(target_yx)
    layers = [affine_transform(plate[..., c], turn, offset, order=1, mode="mirror") for c in range(plate.shape[2])]
    return np.stack(layers, 2)


def _jitter(plate: Plate, most: float, rng: np.random.Generator) -> Plate:
    """Change brightness, contrast and the balance of the channels by up to a share."""
    bright, contrast = rng.uniform(1 - most, 1 + most, 2)
    balance = rng.uniform(1 - most / 2, 1 + most / 2, plate.shape[2])
    mean = plate.mean()
    return np.asarray(np.clip(((plate - mean) * contrast + mean) * bright * balance, 0, 1), np.float32)
