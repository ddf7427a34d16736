"""Variation of training pictures: what another camera position and another light would make of them.

`relight` is the little that always helps; `augmented` are the two sets of the fastener paper (D1): rotation, shear,
translation and scale for the camera; noise, colour, mixing, erasing, sharpness, brightness, contrast and blur for the
light. Each change is drawn per picture, with one chance in two.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ROTATION_DEG, SHEAR_DEG, SHIFT, SCALE = 10.0, 5.0, 0.08, 0.1
"""Largest camera changes at strength 1: angles, and shares of the crop's side."""
CONTRAST, BRIGHTNESS, COLOUR, NOISE, MIXED, ERASED, SHARPENED = 0.25, 0.2, 0.1, 0.06, 0.2, 0.25, 1.0
"""Largest light changes at strength 1, as shares of contrast, of half the tonal range, or of the crop's side."""
CHANCE = 0.5


def augmented(images: Tensor, targets: Tensor, strength: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return changed crops: `images` (N, C, S, S) in [-1, 1], `targets` (N, S, S) of 0 and 1, which move along.

    `strength` 1 draws up to the largest changes named above, 0 none at all.
    """
    if not strength:
        return images, targets
    images, targets = moved(images, targets, strength, rng)
    for change in (_mixed, _recoloured, _relit, _focused, _noisy):
        images = torch.where(_chosen(len(images), rng), change(images, strength, rng), images)
    images, targets = erased(images, targets, strength, rng)
    return images.clamp(-1, 1), targets


def relight(images: Tensor, brightness: float, contrast: float, rng: np.random.Generator) -> Tensor:
    """Change the light of images (N, C, S, S) in [-1, 1].

    `contrast` is the largest change of contrast as a share, `brightness` the largest shift as a share of the range.
    """
    shape = (len(images), 1, 1, 1)
    gain = 1 + contrast * rng.uniform(-1, 1, shape).astype(np.float32)
    shift = 2 * brightness * rng.uniform(-1, 1, shape).astype(np.float32)
    centre = images.mean((1, 2, 3), keepdim=True)
    return (images - centre) * torch.from_numpy(gain) + centre + torch.from_numpy(shift)


def moved(images: Tensor, targets: Tensor, strength: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Rotate, shear, scale and shift crops about their middle; what comes in at the edge is mirrored."""
    count = len(images)
    angle = np.deg2rad(_spread(count, ROTATION_DEG * strength, rng))
    lean = np.tan(np.deg2rad(_spread(count, SHEAR_DEG * strength, rng)))
    size = 1 + _spread(count, SCALE * strength, rng)
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    shift = _spread((2, count), 2 * SHIFT * strength, rng)
    rows = [[cos, -sin + lean, shift[0]], [sin, cos, shift[1]]]
    still = np.broadcast_to(np.array([[1.0, 0, 0], [0, 1, 0]]), (count, 2, 3))
    theta = np.where(_draws(count, rng)[:, None, None], np.moveaxis(np.array(rows), 2, 0), still)
    grid = F.affine_grid(torch.from_numpy(theta.astype(np.float32)), list(images.shape), align_corners=False)
    seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    marks = F.grid_sample(targets[:, None].float(), grid, "nearest", "reflection", align_corners=False)
    return seen, marks[:, 0].to(targets.dtype)


def erased(images: Tensor, targets: Tensor, strength: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cover a rectangle with the crop's mean tone; a defect under it is no longer there (Zhong et al. 2020)."""
    images, targets, side = images.clone(), targets.clone(), images.shape[-1]
    for number in np.flatnonzero(_draws(len(images), rng)):
        height, width = (1 + int(rng.integers(max(1, round(ERASED * strength * side)))) for _ in range(2))
        top, left = int(rng.integers(side - height + 1)), int(rng.integers(side - width + 1))
        box = (..., slice(top, top + height), slice(left, left + width))
        images[number][box] = images[number].mean((1, 2), keepdim=True)
        targets[number][box] = 0
    return images, targets


def _mixed(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    share = _column(MIXED * strength * rng.random(len(images)))
    return images + share * (images[torch.from_numpy(rng.permutation(len(images)))] - images)


def _recoloured(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    gains = 1 + _spread((len(images), images.shape[1], 1, 1), COLOUR * strength, rng)
    return (images + 1) * torch.from_numpy(gains.astype(np.float32)) - 1


def _relit(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    gain = _column(1 + _spread(len(images), CONTRAST * strength, rng))
    shift = _column(_spread(len(images), BRIGHTNESS * strength, rng))
    centre = images.mean((1, 2, 3), keepdim=True)
    return (images - centre) * gain + centre + shift


def _focused(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Blur where the amount drawn is negative, sharpen where it is positive."""
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(images.shape[1], 1, 3, 3)
    soft = F.conv2d(F.pad(images, (1, 1, 1, 1), "reflect"), kernel, groups=images.shape[1])
    return images + _column(_spread(len(images), SHARPENED * strength, rng)) * (images - soft)


def _noisy(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    noise = rng.standard_normal(tuple(images.shape), dtype=np.float32)
    return images + _column(NOISE * strength * rng.random(len(images))) * torch.from_numpy(noise)


def _spread(shape: int | tuple[int, ...], largest: float, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-largest, largest, shape)


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).view(-1, 1, 1, 1)


def _draws(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random(count) < CHANCE


def _chosen(count: int, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(_draws(count, rng)).view(-1, 1, 1, 1)
