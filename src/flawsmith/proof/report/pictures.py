"""Tiles: the surroundings of a defect as a small PNG, with the outline of its mask on a second, clear one."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy.ndimage import binary_dilation

from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import Image, Mask
from flawsmith.proof.report.data import Tile

SIDE = 176
"""Side of a tile in pixels of the page."""
LEAST_PX, AIR = 72, 1.7
"""A tile shows at least this many pixels of the image, and this many times the defect's extent."""
OUTLINE_RGBA = (255, 64, 64, 255)


def view_of(mask: Mask) -> Window:
    """Return the square window in which a defect is shown."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = min(max(LEAST_PX, round(AIR * extent)), *mask.shape)
    return window_around(((rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2), (side, side), mask.shape)


def tile(image: Image, mask: Mask, note: str = "") -> Tile:
    """Return the tile of a defect: `image` HWC of any depth, `mask` HW with at least one pixel."""
    window = view_of(mask)
    size = (SIDE, SIDE)
    picture = Picture.fromarray(eight_bit(window.cut(image))).resize(size, Picture.Resampling.BICUBIC)
    inside = np.asarray(Picture.fromarray(window.cut(mask)).resize(size, Picture.Resampling.NEAREST))
    edge = binary_dilation(inside) & ~inside
    outline = np.zeros((SIDE, SIDE, 4), np.uint8)
    outline[edge] = OUTLINE_RGBA
    return Tile(data_uri(picture), data_uri(Picture.fromarray(outline)), note)


def plain_tile(image: Image, note: str = "") -> Tile:
    """Return a tile of a whole picture, its sides in proportion."""
    picture = Picture.fromarray(eight_bit(image))
    height = round(SIDE * picture.height / picture.width)
    return Tile(data_uri(picture.resize((SIDE, max(1, height)), Picture.Resampling.BICUBIC)), note=note)


def eight_bit(image: Image) -> NDArray[np.uint8]:
    """Return HW or HW3 for showing: 16-bit pictures are stretched, as they seldom fill their range."""
    shown = image[..., 0] if image.shape[2] == 1 else image
    if image.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    low, high = np.percentile(shown, (0.2, 99.8))
    stretched = (shown.astype(np.float64) - low) * (255 / max(high - low, 1.0))
    return np.asarray(np.clip(np.rint(stretched), 0, 255), np.uint8)


def data_uri(picture: Picture.Image) -> str:
    """Return a picture as a data URI."""
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
