"""Masks as instances, outlines and run lengths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from flawsmith.core.records import Box, Defect, Mask
from flawsmith.data.writers.items import ExportItem

GAP_SHARE = 0.1
"""Parts of one mask that lie nearer to each other than this share of its box's diagonal are one defect."""
LEAST_GAP_PX = 3.0


def instances_of(item: ExportItem, defects: tuple[Defect, ...]) -> Iterator[Defect]:
    """Yield one defect per instance: a synthetic mask is one, a real one may hold several that lie apart."""
    for defect in defects:
        if item.synthetic:
            yield defect
        else:
            yield from (Defect(defect.label, mask) for mask in separated(defect.mask))


def separated(mask: Mask) -> Iterator[Mask]:
    """Yield groups of parts of a mask (HW bool) that lie apart, from top to bottom; nearby fragments stay together.

    >>> [int(part.sum()) for part in separated(np.arange(40)[None] % 20 < 4)]
    [4, 4]
    """
    if not mask.any():
        return
    left, top, right, bottom = (int(each) for each in Defect("", mask).box_xyxy)
    inner = mask[top:bottom, left:right]
    gap = max(LEAST_GAP_PX, GAP_SHARE * float(np.hypot(*inner.shape)))
    parts, count = ndimage.label(ndimage.distance_transform_edt(~inner) <= gap / 2, structure=np.ones((3, 3), int))
    for number in range(1, count + 1):
        whole = np.zeros_like(mask)
        whole[top:bottom, left:right] = inner & (parts == number)
        yield whole


def outlines(mask: Mask) -> list[NDArray[np.float64]]:
    """Return the exact outlines of a mask's pixels: closed polygons (n, 2) of x, y at pixel corners, in pixels.

    The pixel in row r and column c covers [c, c + 1] x [r, r + 1]. Parts that touch at corners only are apart. The
    outlines of holes turn the other way round (negative `signed_area`).
    """
    if not mask.any():
        return []
    left, top, right, bottom = (int(each) for each in Defect("", mask).box_xyxy)
    origin = np.array([left - 0.5, top - 0.5])
    padded = np.pad(mask[top:bottom, left:right], 1).astype(np.float64)
    contours = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
    return [_corners(contour) + origin for contour in contours]


def _corners(contour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixel corners (n, 2) as x, y that a contour through the middles of pixel edges cuts off."""
    start, end = contour[:-1], contour[1:]
    turns = (np.abs(end - start) == 0.5).all(1)
    start, end = start[turns], end[turns]
    corners = np.where(start % 1 == 0.5, start, end)
    return np.asarray(corners[:, ::-1])


def signed_area(polygon: NDArray[np.float64]) -> float:
    """Return the area of a polygon (n, 2) in square pixels: positive for an outer outline, negative for a hole."""
    x, y = polygon.T
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def outer_outlines(mask: Mask) -> list[NDArray[np.float64]]:
    """Return one outline per part of a mask; holes are left out."""
    return [each for each in outlines(mask) if signed_area(each) > 0]


def cut_outlines(mask: Mask) -> list[NDArray[np.float64]]:
    """Return outlines without holes that fill exactly the mask: a part with a hole is cut through it, top to bottom.

    >>> ring = np.ones((3, 3), bool)
    >>> ring[1, 1] = False
    >>> [signed_area(each) for each in cut_outlines(ring)]
    [3.0, 5.0]
    """
    found = outlines(mask)
    holes = [each for each in found if signed_area(each) < 0]
    if not holes:
        return found
    column = int(holes[len(holes) // 2][:, 0].min())
    left = np.arange(mask.shape[1]) < column
    return [*cut_outlines(mask & left), *cut_outlines(mask & ~left)]


def run_lengths(mask: Mask) -> list[int]:
    """Return the lengths of runs down the columns, from left to right, beginning with a run of False.

    >>> run_lengths(np.array([[False, True], [True, True]]))
    [1, 3]
    """
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = [int(each) for each in np.diff(edges)]
    return [0, *runs] if flat.size and flat[0] else runs


def box_xywh(box: Box) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a half-open box."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]
