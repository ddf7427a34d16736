"""The guide vector: what can be measured of a defect, told to a generator, and wished for by a user.

contrast      mean inside minus mean around, as a share of the full range, times 4, in [-1, 1]
roughness     log2 of the spread inside over the spread around, divided by 4, in [-1, 1]
size          log2 of the square root of the area in px, so that 1 px is -1 and 1,024 px is 1
elongation    0 round ... 1 a line
orientation_cos2, orientation_sin2   doubled angle of the long axis, times the elongation
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import Image, Mask, Sample
from flawsmith.core.registry import unknown
from flawsmith.masks.morphology import clusters, extent_px, tight

GUIDE = ("contrast", "roughness", "size", "elongation", "orientation_cos2", "orientation_sin2")
FREE = ("contrast", "roughness")
"""The measures that do not follow from the mask: those a user may wish for."""
FLOOR = 0.004
"""Spread below which a surface counts as smooth, as a share of the full range."""


def shape_guide(mask: Mask) -> dict[str, float]:
    """Return the measures that follow from the mask alone (which must not be empty)."""
    rows, columns = np.nonzero(mask)
    area = len(rows)
    spread = np.array([[rows.var(), 0.0], [0.0, columns.var()]])
    spread[0, 1] = spread[1, 0] = float(((rows - rows.mean()) * (columns - columns.mean())).mean())
    values, vectors = np.linalg.eigh(spread + np.eye(2) / 12)
    elongation = 1 - math.sqrt(float(values[0] / values[1]))
    angle = math.atan2(float(vectors[0, 1]), float(vectors[1, 1]))
    return {
        "size": float(np.clip(math.log2(math.sqrt(area)) / 5 - 1, -1, 1)),
        "elongation": elongation,
        "orientation_cos2": elongation * math.cos(2 * angle),
        "orientation_sin2": elongation * math.sin(2 * angle),
    }


def measure_guide(image: Image, mask: Mask) -> dict[str, float]:
    """Return all guide measures of one defect on an HWC image. Raises SettingsError for an empty mask."""
    if not mask.any():
        raise SettingsError("the guide vector of an empty mask: measure defects that have pixels")
    reach = max(3, round(0.3 * extent_px(mask)))
    window = tight(np.pad(mask, 0))
    rows = slice(max(0, window.top - reach - 1), window.bottom + reach + 1)
    columns = slice(max(0, window.left - reach - 1), window.right + reach + 1)
    inside = mask[rows, columns]
    grey = image[rows, columns].astype(np.float32).mean(2) / np.iinfo(image.dtype).max
    distance = ndimage.distance_transform_edt(~inside)
    ring = (distance > 1) & (distance <= reach)
    contrast = roughness = 0.0
    if ring.any():
        contrast = 4 * float(grey[inside].mean() - grey[ring].mean())
        roughness = math.log2((float(grey[inside].std()) + FLOOR) / (float(grey[ring].std()) + FLOOR)) / 4
    measured = {"contrast": float(np.clip(contrast, -1, 1)), "roughness": float(np.clip(roughness, -1, 1))}
    return {**measured, **shape_guide(mask)}


@dataclass(frozen=True)
class GuideTable:
    """The guide measures of the training defects, a row per defect, by class."""

    rows: Mapping[str, tuple[Mapping[str, float], ...]]

    @classmethod
    def measure(cls, samples: Iterable[Sample]) -> GuideTable:
        """Measure every defect of the samples; parts that lie apart count each."""
        rows: dict[str, list[Mapping[str, float]]] = {}
        for sample in samples:
            for defect in sample.defects:
                for part in clusters(defect.mask):
                    rows.setdefault(defect.label, []).append(measure_guide(sample.image, part))
        return cls({label: tuple(found) for label, found in sorted(rows.items())})

    def draw(self, label: str, rng: np.random.Generator, wished: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return the measures of a random training defect of the class, slightly moved; wishes take their place.

        Raises SettingsError for a measure that cannot be wished for.
        """
        for name in wished or {}:
            if name not in FREE:
                raise SettingsError(unknown("guide measure to wish for", name, FREE))
        rows = self.rows[label]
        row = rows[int(rng.integers(len(rows)))]
        moved = {name: float(np.clip(row[name] + 0.05 * rng.normal(), -1, 1)) for name in FREE}
        return {**row, **moved, **(wished or {})}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {label: [dict(row) for row in rows] for label, rows in self.rows.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GuideTable:
        """Rebuild a table from `to_json` data."""
        return cls({label: tuple(rows) for label, rows in data.items()})
