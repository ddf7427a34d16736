"""TIFF files through tifffile: grey, RGB, palette and bilevel, 8 or 16 bits, one page.

Not through Pillow, which has no 16-bit RGB and turns uncompressed files of orientation 5 to 8 wrongly.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC

from flawsmith.core.errors import ImageError

_ORIENTATION = 0x0112
_MOST_TILE_PIXELS = 2**26
"""A tile is unpacked whole, however little of it lies inside the image."""


def tiff_size_hw(file: tifffile.TiffFile) -> tuple[int, int]:
    """Return height and width as stored.

    Raises ImageError for a stack of pages, another depth than 8 or 16, more than 4 channels, or huge tiles: all that
    would make a small file take much memory, but for height and width themselves.
    """
    page = file.pages.first
    if len(file.series[0].pages) > 1:
        raise ImageError(f"a stack of {len(file.series[0].pages)} pages: expected one image per file")
    if page.dtype not in (np.bool_, np.uint8, np.uint16):
        raise ImageError(f"expected 8 or 16 unsigned bits per channel, got {page.dtype}")
    if page.samplesperpixel > 4 or page.imagedepth != 1:
        raise ImageError(f"expected 1 to 4 channels and one layer, got {page.samplesperpixel} and {page.imagedepth}")
    if page.is_tiled and page.tilewidth * page.tilelength * page.tiledepth > _MOST_TILE_PIXELS:
        raise ImageError(f"tiles of {page.tilewidth} x {page.tilelength} pixels: expected at most {_MOST_TILE_PIXELS}")
    return int(page.imagelength), int(page.imagewidth)


def tiff_orientation(file: tifffile.TiffFile) -> int:
    """Return the orientation as in EXIF: 1 to 8, 1 is upright."""
    tag = file.pages.first.tags.get(_ORIENTATION)
    return int(tag.value) if tag else 1


def tiff_colours(file: tifffile.TiffFile) -> tuple[str, bool]:
    """Return the colours as stored (grey, rgb, palette, cmyk or other) and whether there is an alpha channel."""
    page = file.pages.first
    known: dict[int, str] = {
        PHOTOMETRIC.MINISBLACK: "grey",
        PHOTOMETRIC.MINISWHITE: "grey",
        PHOTOMETRIC.RGB: "rgb",
        PHOTOMETRIC.YCBCR: "rgb",
        PHOTOMETRIC.PALETTE: "palette",
        PHOTOMETRIC.SEPARATED: "cmyk",
    }
    return known.get(page.photometric, "other"), bool(page.extrasamples)


def tiff_pixels(file: tifffile.TiffFile, indices: bool) -> NDArray[Any]:
    """Return the pixels as stored, HW or HWC, with palettes looked up and bilevel as 0 and 255.

    With `indices`, palettes stay indices and bilevel is 0 and 1. Raises ImageError for other colour spaces.
    """
    page = file.pages.first
    array: NDArray[Any] = page.asarray()
    if array.ndim == 3 and page.axes == "SYX":
        array = np.moveaxis(array, 0, 2)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(1 if indices else 255)
    match page.photometric:
        case PHOTOMETRIC.MINISBLACK | PHOTOMETRIC.RGB:
            return array
        case PHOTOMETRIC.MINISWHITE:
            return array if indices else np.iinfo(array.dtype).max - array
        case PHOTOMETRIC.PALETTE:
            return array if indices else (np.asarray(page.colormap).T >> 8).astype(np.uint8)[array]
        case PHOTOMETRIC.YCBCR if page.compression == COMPRESSION.JPEG:
            return array
    raise ImageError(f"expected grey, RGB or palette colours, got {PHOTOMETRIC(page.photometric).name}")


def tiff_bytes(plain: NDArray[Any]) -> bytes:
    """Return an HW or HWC image of 8 or 16 bits as a TIFF file, packed without loss; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    colours = "rgb" if plain.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, plain, photometric=colours, compression="zlib", metadata=None, software="flawsmith")
    return buffer.getvalue()
