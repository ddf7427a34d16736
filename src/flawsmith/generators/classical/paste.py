"""Painting with training defects: feathered copy-paste, Poisson copy-paste and CutMix."""

from __future__ import annotations

import numpy as np

from flawsmith.core.records import Mask, Painting, Patch
from flawsmith.generators.classical.bank import Bank, Cutout, of_class
from flawsmith.generators.classical.pixels import Plate, lay_over, to_plate
from flawsmith.generators.classical.poisson import seamless
from flawsmith.generators.classical.settings import CutMixSettings, PasteSettings, PoissonSettings, TurnSettings
from flawsmith.generators.classical.turn import CLEAR_PX, Donor, choose, draw_turn, lay
from flawsmith.masks.morphology import dilate, extent_px, feather, tight

RING_PX = 5
"""Brightness is compared in a ring of this width around the defect."""
MOST_GAIN = 2.0
"""Brightness is matched by at most this factor: a nearly black background says nothing about the light."""


def copy_paste(patch: Patch, bank: Bank, settings: PasteSettings, rng: np.random.Generator) -> Painting:
    """Paste a training defect of the class, turned and resized, at the mask's centroid under a feathered edge."""
    donor = _donor(patch, bank, settings, rng)
    background = to_plate(patch.background, patch.background.shape[2])
    plate = donor.plate * _gain(background, donor)
    alpha = _inside(feather(donor.mask, settings.core_px, settings.feather_px))
    return Painting(lay_over(patch.background, plate, alpha), donor.mask, donor.source)


def copy_paste_poisson(patch: Patch, bank: Bank, settings: PoissonSettings, rng: np.random.Generator) -> Painting:
    """Paste the gradients of a training defect (Pérez et al. 2003): no seam, the background's own brightness."""
    donor = _donor(patch, bank, settings, rng)
    region = dilate(donor.mask, settings.region_px)
    background = to_plate(patch.background, patch.background.shape[2])
    plate = seamless(background, donor.plate, region)
    return Painting(lay_over(patch.background, plate, region.astype(np.float32)), donor.mask, donor.source)


def cutmix(patch: Patch, bank: Bank, settings: CutMixSettings, rng: np.random.Generator) -> Painting:
    """Paste a rectangle of a training defect image as it is (CutMix, Yun et al. 2019, eq. 1).

    The label is the defect's own mask in it, where the paper mixes image labels by area.
    """
    cutout = choose(of_class(bank.cutouts, patch.label), patch, rng)
    donor = lay(cutout, patch, np.eye(2))
    alpha = _box_around(donor.mask, float(rng.uniform(0, settings.most_context)))
    image = lay_over(patch.background, donor.plate, alpha * donor.known)
    return Painting(image, donor.mask & donor.known, donor.source)


def _donor(patch: Patch, bank: Bank, settings: TurnSettings, rng: np.random.Generator) -> Donor:
    cutout: Cutout = choose(of_class(bank.cutouts, patch.label), patch, rng)
    return lay(cutout, patch, draw_turn(rng, settings))


def _gain(background: Plate, donor: Donor) -> Plate:
    """Return the factor per channel that gives the donor's surroundings the brightness of the background there."""
    near = dilate(donor.mask, 2)
    ring = dilate(near, RING_PX) & ~near
    if not ring.any():
        return np.ones((1, 1, background.shape[2]), np.float32)
    ratio = background[ring].mean(0) / np.maximum(donor.plate[ring].mean(0), 1e-3)
    return np.asarray(np.clip(ratio, 1 / MOST_GAIN, MOST_GAIN), np.float32)


def _inside(alpha: Plate) -> Plate:
    """Fade out towards the crop's border, so that a defect larger than the crop leaves no straight edge."""
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]].astype(np.float32)
    edge = np.minimum(np.minimum(y, alpha.shape[0] - 1 - y), np.minimum(x, alpha.shape[1] - 1 - x))
    return np.asarray(alpha * np.clip(edge / CLEAR_PX, 0, 1), np.float32)


def _box_around(mask: Mask, context: float) -> Plate:
    box, grow = tight(mask), round(context * extent_px(mask))
    alpha = np.zeros(mask.shape, np.float32)
    alpha[max(box.top - grow, 0) : box.bottom + grow, max(box.left - grow, 0) : box.right + grow] = 1
    return alpha
