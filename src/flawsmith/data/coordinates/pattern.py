"""One period of a product's pattern, measured on good images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import Image
from flawsmith.data.coordinates.aligning import Alignment, align
from flawsmith.data.coordinates.lattice import Cell, Lattice, fold
from flawsmith.data.coordinates.light import Values, contrast
from flawsmith.data.coordinates.matching import match, shifted
from flawsmith.data.coordinates.period import find_lattice
from flawsmith.data.coordinates.settings import CaptionSettings
from flawsmith.data.image_io import read_image, write_image

LEAST_CONFIDENCE = CaptionSettings().least_confidence
"""An image whose best match with the template is below this likeness does not show the pattern."""
TEMPLATE, PATTERN = "template.png", "pattern.json"
_ROUNDS = 2


@dataclass(frozen=True)
class Pattern:
    """What a product's good images share: the lattice, and the template of one period (HWC, relative contrast).

    The template begins where the first image that it was measured on begins. `light` is the brightness per channel of
    those images as a share of the full range.
    """

    lattice: Lattice
    template: Cell
    light: tuple[float, ...]

    @property
    def picture(self) -> Image:
        """The template as an HWC uint8 image."""
        values = (1 + self.template) * np.array(self.light, np.float32)
        return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)


def measure_pattern(images: Sequence[Image]) -> Pattern:
    """Find the pattern that good HWC images share: its lattice, and the median of one period over all of them.

    The images are laid over one another by their phase first, so a defect that one of them shows falls out. Raises
    DataError where nothing repeats (see `find_lattice`) or an image has other channels than the first.
    """
    if len({image.shape[2] for image in images}) > 1:
        raise DataError("some images are grey and some in colour: give good images of one kind")
    lattice = find_lattice(images)
    for _ in range(_ROUNDS):
        lattice = _refined(images, lattice, _template(images, lattice))
    template = _begun_at(images[0], lattice, _template(images, lattice))
    light = np.mean([image.mean((0, 1)) / np.iinfo(image.dtype).max for image in images], axis=0)
    return Pattern(lattice, template, tuple(map(float, light)))


def _template(images: Sequence[Image], lattice: Lattice) -> Cell:
    """Return the median of all images' periods, moved to where the first image's period begins."""
    cells = [fold(contrast(image, lattice.period_xy), lattice) for image in images]
    template = cells[0]
    for _ in range(_ROUNDS):
        matches = [match(cell, template) for cell in cells]
        pairs = zip(cells, matches, strict=True)
        alike = [shifted(cell, found.shift_xy) for cell, found in pairs if found.likeness >= LEAST_CONFIDENCE]
        template = np.asarray(np.median(alike or [template], axis=0), np.float32)
    return template


def _begun_at(image: Image, lattice: Lattice, template: Cell) -> Cell:
    """Return the template moved so that it begins exactly where an image begins."""
    right, down = place(contrast(image, lattice.period_xy), lattice, template)[0].offset
    return shifted(template, (-right * template.shape[1], -down * template.shape[0]))


def _refined(images: Sequence[Image], lattice: Lattice, template: Cell) -> Lattice:
    """Return the median of the lattices with which the template fits each image best."""
    found = [place(contrast(image, lattice.period_xy), lattice, template, free=True)[0].matrix for image in images]
    along_x, along_y = np.linalg.inv(np.median(found, axis=0)).T
    return Lattice(tuple(map(float, along_x)), tuple(map(float, along_y)))  # type: ignore[arg-type]


def place(values: Values, lattice: Lattice, template: Cell, *, free: bool = False) -> tuple[Alignment, float]:
    """Return how a template lies on an HWC image of contrast, and the likeness of the image's own period to it."""
    found = match(fold(values, lattice), template)
    offset = np.array(found.shift_xy) / lattice.shape[::-1]
    return align(
        values, template, Alignment(np.asarray(np.linalg.inv(lattice.matrix), float), offset), free=free
    ), found.likeness


def save_pattern(folder: Path, pattern: Pattern) -> None:
    """Write a pattern as template.png and pattern.json."""
    lattice = {"along_x": list(pattern.lattice.along_x), "along_y": list(pattern.lattice.along_y)}
    write_image(folder / TEMPLATE, pattern.picture)
    write_json(folder / PATTERN, {"lattice_px": lattice, "period_px": list(pattern.lattice.period_xy)})


def load_pattern(folder: Path) -> Pattern:
    """Read what `save_pattern` wrote. Raises DataError where it is missing or something else."""
    picture, path = read_image(folder / TEMPLATE), folder / PATTERN
    try:
        lattice = _lattice(read_json(path)["lattice_px"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path} is not a pattern that flawsmith wrote ({error}): make it again") from error
    if picture.shape[:2] != lattice.shape:
        raise DataError(
            f"{folder / TEMPLATE} is {picture.shape[1]} x {picture.shape[0]} pixels, but the period in {path.name} is "
            f"{lattice.shape[1]} x {lattice.shape[0]}: use the two files that were written together"
        )
    values = picture.astype(np.float32) / 255
    light = values.mean((0, 1))
    return Pattern(lattice, values / np.maximum(light, 1e-6) - 1, tuple(map(float, light)))


def _lattice(data: dict[str, Any]) -> Lattice:
    along_x, along_y = ((float(data[name][0]), float(data[name][1])) for name in ("along_x", "along_y"))
    return Lattice(along_x, along_y)
