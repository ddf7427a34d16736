"""Colours as the network sees them: uncorrelated, and each as strong as the others.

The channels of a photograph say almost the same thing. Seen as they are, what differs between them is small beside the
noise of a diffusion, and a network that errs a little paints coloured clouds. In the product's own principal colours,
each brought to the same spread, the same error is as small in hue as hue itself is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawsmith.generators.crops.tone import Plate

SPREAD = 0.5
"""Root mean square of a usual defect in every colour that the network sees."""
LEAST_SPREAD = 0.02
MOST_STRETCH = 8.0
"""A colour is stretched by at most this much more than the strongest: below lies the camera's noise."""


@dataclass(frozen=True)
class Palette:
    """A change of colours: `seen` (C, C) maps the tones of a pixel, relative to its surroundings, to what is seen."""

    seen: NDArray[np.float32]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.seen)

    def apply(self, tones: Plate) -> Plate:
        """Return HWC tones as they are seen."""
        return np.asarray(tones @ self.seen.T, np.float32)

    def undo(self, seen: Plate) -> Plate:
        """Return what is seen, HWC, as tones."""
        return np.asarray(seen @ np.linalg.inv(self.seen.astype(np.float64)).T, np.float32)

    def strength(self, tones: Plate) -> float:
        """Return how strongly pixels (..., C) stand out: root mean square of what is seen of them."""
        return max(float(np.sqrt((self.apply(tones) ** 2).mean())), LEAST_SPREAD)


def measured_palette(defects: Sequence[NDArray[np.float32]]) -> Palette:
    """Return the palette in which defects, each the tones of its pixels (K, C), have a spread of 0.5 in the median.

    Principal colours are those of the mean second moment about the surroundings, every defect counting alike.
    """
    moments = [pixels.T.astype(np.float64) @ pixels / len(pixels) for pixels in defects]
    shared = np.mean([each / max(float(np.trace(each)), 1e-12) for each in moments], axis=0)
    spreads, colours = np.linalg.eigh(shared)
    spreads, colours = np.sqrt(np.maximum(spreads[::-1], 0)), colours[:, ::-1]
    colours = colours * np.where(colours[np.abs(colours).argmax(0), range(len(colours))] < 0, -1.0, 1.0)
    strongest = np.median([np.sqrt(colours[:, 0] @ each @ colours[:, 0]) for each in moments])
    stretch = np.minimum(spreads[0] / np.maximum(spreads, 1e-12), MOST_STRETCH)
    gain = SPREAD / max(float(strongest), LEAST_SPREAD)
    return Palette(np.asarray((gain * stretch)[:, None] * colours.T, np.float32))
