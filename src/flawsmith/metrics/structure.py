"""Structural similarity of two pictures, everywhere and where they should be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from skimage.metrics import structural_similarity

from flawsmith.core.errors import DataError

SIGMA_PX = 1.5
REACH_PX = 5
"""How far from a pixel its similarity still looks: the radius of the Gaussian window of Wang et al. 2004."""


def ssim_map(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return the structural similarity (H, W) at every pixel of two HWC pictures of uint8 or uint16; 1 is the same.

    Wang et al. 2004, eq. (13), with the paper's Gaussian window, averaged over channels; computed by scikit-image.
    Where all pixels of a window are equal the result is exactly 1.
    """
    if one.shape != other.shape or one.dtype != other.dtype or one.ndim != 3:
        raise DataError(
            f"expected two HWC pictures of one shape and type, got {one.shape} of {one.dtype} and {other.shape} "
            f"of {other.dtype}"
        )
    if one.dtype not in (np.uint8, np.uint16) or min(one.shape[:2]) < 2 * REACH_PX + 1:
        raise DataError(f"expected uint8 or uint16 pictures of at least {2 * REACH_PX + 1} pixels a side")
    _, found = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, data_range=float(np.iinfo(one.dtype).max), channel_axis=2, full=True,
        gaussian_weights=True, sigma=SIGMA_PX, use_sample_covariance=False,
    )  # fmt: skip
    mean: NDArray[np.float64] = np.asarray(found, np.float64).mean(2)
    return mean


def ssim(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the mean structural similarity of two HWC pictures, up to 1."""
    return float(ssim_map(one, other)[REACH_PX:-REACH_PX, REACH_PX:-REACH_PX].mean())


def outside(mask: NDArray[np.bool_], gap_px: int) -> NDArray[np.bool_]:
    """Return the pixels whose square neighbourhood of `gap_px` on every side holds none of a mask (HW)."""
    found: NDArray[np.bool_] = maximum_filter(mask.view(np.uint8), 2 * gap_px + 1) == 0
    return found


def ssim_outside(one: NDArray[Any], other: NDArray[Any], mask: NDArray[np.bool_], gap_px: int = 0) -> float:
    """Return the mean similarity of two HWC pictures where no window holds a pixel within `gap_px` of the mask (HW).

    NaN where no such pixel is left.
    """
    chosen = ssim_map(one, other)[outside(mask, gap_px + REACH_PX)]
    return float(chosen.mean()) if len(chosen) else float("nan")


def error_outside(one: NDArray[Any], other: NDArray[Any], mask: NDArray[np.bool_], gap_px: int = 0) -> float:
    """Return the largest absolute difference of two HWC pictures further than `gap_px` from the mask (HW).

    As a share of the full range; 0 where nothing is left.
    """
    apart = np.abs(one.astype(np.int64) - other.astype(np.int64))[outside(mask, gap_px)]
    return float(apart.max(initial=0) / np.iinfo(one.dtype).max)
