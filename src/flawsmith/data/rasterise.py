"""From numbers to pixels: outlines, run lengths and boxes drawn as masks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from pycocotools import mask as coco_mask

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import ImageError
from flawsmith.core.records import Mask

LONGEST_PX = 10_000_000
"""A mask with longer outlines than this is refused: drawing takes about 80 bytes per pixel of outline."""


def rasterise(drawn: DrawnMask, size_hw: tuple[int, int]) -> Mask:
    """Return a drawn mask as HW bool for an image of this size; what lies outside the image is cut off.

    Raises ImageError where the numbers are for an image of another size.
    """
    if drawn.size_hw not in (None, tuple(size_hw)):
        raise _unfit(drawn, size_hw, f"is for an image of {_size(drawn.size_hw)} pixels")
    scale = (size_hw[1], size_hw[0]) if drawn.relative else (1, 1)
    rows = [tuple(number * scale[place % 2] for place, number in enumerate(row)) for row in drawn.numbers]
    if drawn.kind == "box":
        return box_mask(rows[0], size_hw)
    if drawn.kind == "runs":
        if sum(drawn.numbers[0]) > math.prod(size_hw):
            raise _unfit(drawn, size_hw, f"has runs of {sum(drawn.numbers[0])} pixels in all")
        return run_mask([int(number) for number in drawn.numbers[0]], size_hw)
    if sum(_length_px(row) for row in rows) > LONGEST_PX:
        raise _unfit(drawn, size_hw, f"has outlines of more than {LONGEST_PX} pixels in all")
    return polygon_mask(rows, size_hw)


def polygon_mask(outlines_xy: list[tuple[float, ...]], size_hw: tuple[int, int]) -> Mask:
    """Return what any of the outlines (x0, y0, x1, y1, ... in pixels) encloses, as COCO's own tools draw it."""
    coded = coco_mask.frPyObjects([[float(each) for each in row] for row in outlines_xy], *size_hw)
    return np.asarray(coco_mask.decode(coco_mask.merge(coded)), bool)


def run_mask(counts: list[int], size_hw: tuple[int, int]) -> Mask:
    """Return the mask of runs down the columns, from left to right, beginning with a run of False.

    >>> run_mask([1, 2], (2, 2)).astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    # Not by pycocotools: what the runs do not reach is whatever stood in memory there.
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    flat = np.pad(flat, (0, math.prod(size_hw) - flat.size))
    return np.ascontiguousarray(flat.reshape(size_hw, order="F"))


def box_mask(box_xyxy: tuple[float, ...], size_hw: tuple[int, int]) -> Mask:
    """Return the pixels whose centre lies in the box; a side thinner than a pixel is drawn one pixel wide.

    >>> box_mask((1.0, 0.4, 3.0, 0.45), (2, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    mask = np.zeros(size_hw, bool)
    left, top, right, bottom = box_xyxy
    mask[_span(top, bottom), _span(left, right)] = True
    return mask


def _span(start: float, end: float) -> slice:
    first, last = math.ceil(start - 0.5), math.ceil(end - 0.5)
    if first == last:
        first = math.floor((start + end) / 2)
        last = first + 1
    return slice(max(0, first), max(0, last))


def _length_px(outline: tuple[float, ...]) -> float:
    corners = list(zip(outline[::2], outline[1::2], strict=True))
    return sum(math.dist(start, end) for start, end in pairwise([*corners, corners[0]]))


def _unfit(drawn: DrawnMask, size_hw: tuple[int, int], what: str) -> ImageError:
    return ImageError(
        f"{drawn.path}: a {drawn.label!r} mask {what}, but its image is {_size(size_hw)}: labels are for the image "
        "as it is stored, upright; was it scaled, cut or turned?"
    )


def _size(size_hw: tuple[int, int] | None) -> str:
    return f"{size_hw[1]} x {size_hw[0]}" if size_hw else "unknown size"
