"""Gradient-domain blending (Pérez, Gangnet, Blake: Poisson image editing, SIGGRAPH 2003)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom

from flawsmith.core.records import Mask
from flawsmith.generators.classical.pixels import Plate
from flawsmith.generators.membrane import membrane

MOST_UNKNOWNS = 20_000
"""Larger regions are solved on a coarser grid: the correction is a membrane, smooth by nature."""


def seamless(background: Plate, donor: Plate, region: Mask) -> Plate:
    """Return the background with the donor's gradients inside `region`, continuous across its border (eq. 7, 11).

    All HWC or HW in [0, 1]; the result is not clipped. Outside `region` it equals the background.
    """
    gap = background - donor
    unknowns = int(region.sum())
    step = int(np.ceil(np.sqrt(unknowns / MOST_UNKNOWNS)))
    correction = membrane(gap, region) if step <= 1 else _coarse_membrane(gap, region, step)
    return np.where(region[..., None], donor + correction, background)


def _coarse_membrane(values: Plate, region: Mask, step: int) -> Plate:
    height, width = region.shape
    wide = np.pad(values, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")
    covered = np.pad(region, ((0, -height % step), (0, -width % step)), mode="edge")
    blocks = (wide.shape[0] // step, step, wide.shape[1] // step, step)
    known = (~covered).reshape(blocks)
    count = known.sum((1, 3))
    sums = (wide.reshape(*blocks, -1) * known[..., None]).sum((1, 3))
    small = membrane((sums / np.maximum(count, 1)[..., None]).astype(np.float32), count == 0)
    large = zoom(small, (step, step, 1), order=1, grid_mode=True, mode="nearest")[:height, :width]
    return np.asarray(large, np.float32)
