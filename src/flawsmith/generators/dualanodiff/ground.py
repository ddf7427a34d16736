"""The empty ground on which a defect is painted alone, and the mask of what departs from it."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from torch import Tensor

from flawsmith.core.records import Mask
from flawsmith.masks.proposing import above

FAINTEST = 0.05
"""This share of a product's defect pixels may depart less from the ground than what counts as faint."""


class Ground(NamedTuple):
    """A colour (C,) in [-1, 1], and by how much nearly all pixels of the product's defects depart from it."""

    colour: tuple[float, ...]
    faint: float


def choose_ground(pixels_KC: NDArray[np.float32]) -> Ground:
    """Return the ground that defect pixels, in [-1, 1], depart from best: black, grey or white in each channel.

    The paper's is grey. A grey defect would be lost on it, as would its mask.

    >>> choose_ground(np.array([[0.0], [-0.2], [0.1], [-0.1]], np.float32)).colour
    (1.0,)
    """
    colours = np.array(list(product((0.0, -1.0, 1.0), repeat=pixels_KC.shape[1])), np.float32)
    faint = [float(np.quantile(np.abs(pixels_KC - colour).mean(1) / 2, FAINTEST)) for colour in colours]
    best = int(np.argmax(faint))
    return Ground(tuple(float(value) for value in colours[best]), faint[best])


def alone(picture_NCHW: Tensor, mask_N1HW: Tensor, colour_C: Tensor) -> Tensor:
    """Return defects alone, (N, C, H, W): half of how far each pixel lies from the ground, which itself is 0."""
    return mask_N1HW * (picture_NCHW - colour_C[:, None, None]) / 2


def mask_of(defect_CHW: Tensor, faint: float) -> Mask:
    """Return where a painted defect departs from the ground (HW bool): nothing, where it does so nowhere.

    The level is Otsu's (1979, IEEE Transactions on Systems, Man, and Cybernetics 9(1)): the one that best tells two
    kinds of pixels apart. It is half of `faint` at least, since two kinds are found on an empty ground as well. Holes
    are filled and specks dropped.
    """
    departure: NDArray[np.float32] = defect_CHW.abs().mean(0).to("cpu", torch.float32).numpy()
    return above(departure, max(float(threshold_otsu(departure)), faint / 2))  # type: ignore[no-untyped-call]
