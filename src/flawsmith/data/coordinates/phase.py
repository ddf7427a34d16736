"""Where in the pattern an image begins: its one period matched with the template."""

from __future__ import annotations

from dataclasses import dataclass

from flawsmith.core.errors import DataError
from flawsmith.core.records import Image
from flawsmith.data.coordinates.light import contrast
from flawsmith.data.coordinates.pattern import LEAST_CONFIDENCE, Pattern, place


@dataclass(frozen=True)
class Phase:
    """The place in the template that an image's top left pixel shows.

    `x` and `y` are pixels along the lattice's two vectors, at least 0 and less than the period. `confidence` is the
    likeness of the image's period to the template there, 0 to 1.
    """

    x: float
    y: float
    confidence: float


def phase_of(image: Image, pattern: Pattern, *, least_confidence: float = LEAST_CONFIDENCE) -> Phase:
    """Return an HWC image's phase in a pattern, to about a tenth of a pixel.

    The image shows a whole period or more, at the scale of the pattern; light, noise and defects that leave most
    repeats alone do not matter. Raises DataError where it shows less, or the confidence is below `least_confidence`.
    """
    if image.shape[2] != pattern.template.shape[2]:
        raise DataError(
            f"the image has {image.shape[2]} channels and the pattern {pattern.template.shape[2]}: "
            "measure the pattern on images of the same camera"
        )
    values = contrast(image, pattern.lattice.period_xy)
    found, likeness = place(values, pattern.lattice, pattern.template)
    if likeness < least_confidence:
        raise DataError(
            f"the image does not show the pattern: its best match has a likeness of {likeness:.2f}, expected at "
            f"least {least_confidence:.2f}; is it of this product, at this scale?"
        )
    x, y = (float(part % 1 % 1 * period) for part, period in zip(found.offset, pattern.lattice.period_xy, strict=True))
    return Phase(x, y, likeness)
