"""Image and mask files: jpg, png, bmp, tiff; grey or RGB; 8 or 16 bits. Pixels are kept as they are stored."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import fromarray
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import ImageError
from flawsmith.core.files import write_bytes
from flawsmith.core.records import Image, Mask, MaskSource
from flawsmith.data import png_text
from flawsmith.data.rasterise import rasterise
from flawsmith.data.tiff import tiff_bytes, tiff_colours, tiff_orientation, tiff_pixels, tiff_size_hw

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
MOST_PIXELS = 500_000_000
"""A file that claims more pixels than this is refused before anything is decoded."""
_ORIENTATION = 0x0112
_EXIF, _TAKEN = 0x8769, 0x9003
_PNG_LEVEL = 3
# Opened by kind and not by Pillow's own search: only these decoders ever see a stranger's file.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "jpg": JpegImageFile,
    "png": PngImageFile,
    "bmp": BmpImageFile,
}
_MAGIC = {
    b"\xff\xd8\xff": "jpg",
    png_text.SIGNATURE: "png",
    b"BM": "bmp",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
}


class Head(NamedTuple):
    """How a file stores its image: what its head says, nothing decoded.

    `size_hw` is the size as `read_image` gives it; `format` is jpg, png, bmp or tiff; `colours` grey, rgb, palette,
    cmyk or other; `orientation` 1 to 8 as in EXIF (1 is upright); `taken` the EXIF time of the shot, where known.
    """

    size_hw: tuple[int, int]
    format: str
    colours: str
    alpha: bool
    orientation: int
    taken: str | None = None


def read_image(path: Path) -> Image:
    """Read an image as HWC uint8 or uint16 with 1 channel (grey) or 3 (RGB).

    Alpha is dropped, palettes are looked up, the EXIF orientation is applied; 16-bit files stay 16-bit. Raises
    ImageError, naming the file, for anything missing, damaged, cut off, too large or of another depth.
    """
    with _naming(path):
        return _decode(path, indices=False)


def image_size_hw(path: Path) -> tuple[int, int]:
    """Return height and width in pixels, as `read_image` would give them, from the file's head alone.

    Raises ImageError as `read_image` does where the head is damaged.
    """
    size_hw = image_head(path).size_hw
    with _naming(path):
        return _checked_hw(*size_hw)


def image_head(path: Path) -> Head:
    """Return what a file's head says of its image, however large it claims to be.

    Raises ImageError as `read_image` does where the head is damaged.
    """
    with _naming(path):
        kind = _kind(path)
        if kind == "tiff":
            with tifffile.TiffFile(path) as file:
                orientation = tiff_orientation(file)
                return Head(_oriented_hw(tiff_size_hw(file), orientation), kind, *tiff_colours(file), orientation)
        with _PLUGINS[kind](path) as image:
            orientation = _orientation(image, kind)
            alpha = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
            size_hw = _oriented_hw((image.height, image.width), orientation)
            return Head(size_hw, kind, _colours(image.mode), alpha, orientation, _taken(image, kind))


def read_mask(mask_file: MaskSource, size_hw: tuple[int, int]) -> Mask:
    """Read a mask as HW bool: where any channel reaches the threshold, or where the pixel equals `value`.

    With a number as `value`, palette files count by index and 1-bit files as 0 and 1. A mask given in numbers is drawn.
    Raises ImageError where the file cannot be read or its size is not `size_hw`.
    """
    if isinstance(mask_file, DrawnMask):
        return rasterise(mask_file, size_hw)
    path = mask_file.path
    with _naming(path):
        array = _decode(path, indices=isinstance(mask_file.value, int))
    if array.shape[:2] != tuple(size_hw):
        raise ImageError(
            f"{path}: the mask is {array.shape[1]} x {array.shape[0]} pixels but its image is "
            f"{size_hw[1]} x {size_hw[0]}: masks have the size of their image"
        )
    if mask_file.value is not None:
        return np.asarray((array == mask_file.value).all(axis=2))
    return np.asarray((array >= mask_file.threshold).any(axis=2))


def read_classes(path: Path) -> NDArray[Any]:
    """Read a mask of classes as it is stored: HW numbers, or HWC colours where its channels differ.

    Palette files give their indices, 1-bit files 0 and 1. Raises ImageError as `read_image` does.
    """
    with _naming(path):
        array = _decode(path, indices=True)
    return array if (array != array[..., :1]).any() else array[..., 0]


def write_image(path: Path, array: Image, metadata: Mapping[str, str] | None = None) -> None:
    """Write an HWC uint8 or uint16 image with 1 or 3 channels, whole; the suffix (png, tif, tiff, bmp) says how.

    The same pixels and metadata always give the same bytes. `metadata` becomes text chunks, in PNG files only; bmp
    holds 8 bits only. Raises ImageError for anything that the format cannot hold without loss.
    """
    suffix = path.suffix.lower()
    if array.ndim != 3 or array.shape[2] not in (1, 3) or array.dtype not in (np.uint8, np.uint16) or not array.size:
        raise ImageError(f"{path}: expected HWC uint8 or uint16 with 1 or 3 channels, got {array.shape} {array.dtype}")
    if metadata and suffix != ".png":
        raise ImageError(f"{path}: only PNG files carry metadata: write to {path.with_suffix('.png').name}")
    plain = np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array)
    if suffix == ".png":
        write_bytes(path, png_text.with_text(png_bytes(plain), metadata or {}))
    elif suffix in (".tif", ".tiff"):
        write_bytes(path, tiff_bytes(plain))
    elif suffix == ".bmp" and array.dtype == np.uint8:
        write_bytes(path, _bmp(plain))
    else:
        raise ImageError(f"{path}: {array.dtype} images are written as png or tiff (bmp: uint8 only), not {suffix!r}")


def png_bytes(plain: NDArray[Any]) -> bytes:
    """Return a PNG file of an HW (grey) or HWC (RGB) array of uint8 or uint16; the same array gives the same bytes."""
    return bytes(imagecodecs.png_encode(plain, level=_PNG_LEVEL))


def write_mask(path: Path, mask: Mask) -> None:
    """Write an HW bool mask as an image of 0 and 255. Raises ImageError for another kind of array."""
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ImageError(f"{path}: a mask is HW bool, got {mask.shape} of {mask.dtype}")
    write_image(path, mask[..., None].astype(np.uint8) * np.uint8(255))


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts stored in a PNG file by keyword; other formats have none. Raises ImageError if damaged."""
    with _naming(path):
        if _kind(path) != "png":
            return {}
        with path.open("rb") as file:
            return png_text.read_text(file)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # decoders raise anything at all on a damaged file
        raise ImageError(f"{path} cannot be read: {error}; it may be damaged or cut off, save it again") from error


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    raise ImageError(f"expected a jpg, png, bmp or tiff image, got a file that starts with {head!r}")


def _checked_hw(height: int, width: int) -> tuple[int, int]:
    if not 0 < height * width <= MOST_PIXELS:
        raise ImageError(f"{width} x {height} pixels: expected 1 to {MOST_PIXELS} pixels; cut it into tiles")
    return height, width


def _decode(path: Path, indices: bool) -> NDArray[Any]:
    kind = _kind(path)
    if kind == "tiff":
        with tifffile.TiffFile(path) as file:
            _checked_hw(*tiff_size_hw(file))
            return _oriented(_channels(tiff_pixels(file, indices)), tiff_orientation(file))
    with _PLUGINS[kind](path) as image:
        _checked_hw(image.height, image.width)
        orientation = _orientation(image, kind)
        if kind == "png" and _png_depth(path) == 16:
            return _oriented(_channels(imagecodecs.png_decode(path.read_bytes())), orientation)
        return _oriented(_channels(_pillow_pixels(image, indices)), orientation)


def _pillow_pixels(image: ImageFile.ImageFile, indices: bool) -> NDArray[Any]:
    image.info.pop("transparency", None)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise ImageError(f"expected 8 or 16 unsigned bits per channel, got pixels of Pillow's mode {image.mode!r}")
    if indices and image.mode in ("1", "P"):
        return np.array(image).astype(np.uint8)
    return np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def _channels(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2:
        return array[..., None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise ImageError(f"expected 1 to 4 channels, got an array of shape {array.shape}")
    return np.ascontiguousarray(array[..., : 1 if array.shape[2] < 3 else 3])


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]


def _orientation(image: ImageFile.ImageFile, kind: str) -> int:
    # A PNG's EXIF chunk may follow the pixels; asking for it would decode them, so only one in the head counts.
    if kind == "bmp" or (kind == "png" and "exif" not in image.info):
        return 1
    return int(image.getexif().get(_ORIENTATION, 1))


def _colours(mode: str) -> str:
    known = {"P": "palette", "PA": "palette", "CMYK": "cmyk", "RGB": "rgb", "RGBA": "rgb", "1": "grey"}
    return known.get(mode, "grey" if mode[0] in "LI" else "other")


def _taken(image: ImageFile.ImageFile, kind: str) -> str | None:
    with suppress(Exception):  # a damaged date is no reason to refuse the picture
        if kind != "bmp" and "exif" in image.info:
            taken = image.getexif().get_ifd(_EXIF).get(_TAKEN)
            return taken if isinstance(taken, str) else None
    return None


def _oriented_hw(size_hw: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size_hw[::-1] if orientation in (5, 6, 7, 8) else size_hw


def _oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _bmp(plain: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    fromarray(plain).save(buffer, "BMP")
    return buffer.getvalue()
