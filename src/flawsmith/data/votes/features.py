"""What a picture looks like, in about a hundred numbers: tones, edge directions and fine patterns.

Nothing is learnt and nothing comes from other pictures. Edges and patterns are counted in cells; their mean and their
largest value over the cells are kept, so that a small defect counts wherever it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from skimage.feature import local_binary_pattern

from flawsmith.core.records import Image

SIDE, CELL = 192, 32
"""A picture is shrunk or stretched to this square, in pixels, and cut into cells of this side."""
TONES, DIRECTIONS = 16, 8
RADII, POINTS = (1, 3), 8
"""Local binary patterns (Ojala et al. 2002): rotation-invariant uniform ones, of 8 points at these distances."""
Plane = NDArray[np.float32]


def features(image: Image) -> NDArray[np.float64]:
    """Return the features of an HWC image, of any depth: shares in [0, 1], as many for every image."""
    colours = _square(image)
    tones = [np.histogram(plane, TONES, (0, 1))[0] / plane.size for plane in np.moveaxis(colours, 2, 0)]
    grey = colours.mean(2)
    return np.concatenate([*tones, _directions(grey), *(_patterns(grey, radius) for radius in RADII)])


def _square(image: Image) -> NDArray[np.float32]:
    """Return the picture as SIDE x SIDE x 3 in [0, 1]; a grey one has three equal channels."""
    planes = np.asarray(image, np.float32) / np.iinfo(image.dtype).max
    small = [
        np.asarray(Picture.fromarray(plane).resize((SIDE, SIDE), Picture.Resampling.BOX))
        for plane in np.moveaxis(planes, 2, 0)
    ]
    return np.stack(small * (3 // len(small)), 2)


def _directions(grey: Plane) -> NDArray[np.float64]:
    """Return how much edge there is in each direction, in each cell: mean and largest."""
    down, across = np.gradient(grey.astype(np.float64))
    turn = (np.arctan2(down, across) % np.pi) / np.pi * DIRECTIONS
    number = np.minimum(turn.astype(np.int64), DIRECTIONS - 1)
    strength = np.hypot(down, across)
    return _over_cells(np.stack([strength * (number == each) for each in range(DIRECTIONS)], 2))


def _patterns(grey: Plane, radius: int) -> NDArray[np.float64]:
    """Return how frequent each local binary pattern is, in each cell: mean and largest."""
    coded = np.rint(grey * 255).astype(np.uint8)
    number = np.asarray(local_binary_pattern(coded, POINTS, radius, "uniform"))  # type: ignore[no-untyped-call]
    return _over_cells(np.stack([number == each for each in range(POINTS + 2)], 2).astype(np.float64))


def _over_cells(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each cell of (SIDE, SIDE, K) planes, and of these the mean and the largest: (2 K,)."""
    cells = planes.reshape(SIDE // CELL, CELL, SIDE // CELL, CELL, -1).mean((1, 3)).reshape(-1, planes.shape[2])
    return np.concatenate([cells.mean(0), cells.max(0)])
