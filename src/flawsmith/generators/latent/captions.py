"""What the generator is told of each training picture: its name, and its place in a repetitive pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import DataError, TrainingError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.coordinates import load_pattern, measure_pattern, phase_of, read_captions
from flawsmith.data.coordinates.pattern import PATTERN
from flawsmith.data.coordinates.settings import CaptionSettings
from flawsmith.data.image_io import read_image

TEXTS = "texts"
"""Folder of caption files inside what the stage `captions` writes."""
XY = tuple[float, float]


@dataclass(frozen=True)
class Told:
    """A caption: a name, and a place (x, y in camera pixels), None where it is not known."""

    name: str
    place: XY | None = None

    def __str__(self) -> str:
        x, y = self.place or (0.0, 0.0)
        return f"{x:.2f}, {y:.2f}, {self.name}"


@dataclass(frozen=True)
class Plane:
    """Where places lie: from 0 to `reach_xy`; `period_xy` apart two are the same. In camera pixels."""

    period_xy: XY
    reach_xy: XY

    @classmethod
    def periodic(cls, period_xy: XY) -> Plane:
        """Return the plane of a pattern."""
        return cls(period_xy, period_xy)

    @classmethod
    def around(cls, places: Sequence[XY]) -> Plane:
        """Return the plane of places that have no period, so far as anybody knows: twice as wide as they reach, so that
        none of them is taken for another.
        """
        reach = np.maximum(np.abs(places).max(0), 1.0)
        return cls(_pair(2 * reach), _pair(reach))

    def wrapped(self, place: XY) -> XY:
        """Return the same place within the first period."""
        return _pair(np.mod(place, self.period_xy))


@dataclass(frozen=True)
class Captions:
    """The caption of every picture by its id; the plane of their places, None where no picture has one."""

    by_id: Mapping[str, Told]
    plane: Plane | None

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order."""
        return tuple(sorted({told.name for told in self.by_id.values()}))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plane = None if self.plane is None else {"period_px": self.plane.period_xy, "reach_px": self.plane.reach_xy}
        return {"plane": plane, "captions": {id: [told.name, told.place] for id, told in self.by_id.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Captions:
        """Rebuild captions from `to_json` data."""
        plane = data["plane"] and Plane(_pair(data["plane"]["period_px"]), _pair(data["plane"]["reach_px"]))
        rows = data["captions"].items()
        return cls({id: Told(name, place and _pair(place)) for id, (name, place) in rows}, plane)


def plain_captions(catalog: Catalog) -> Captions:
    """Return captions that name classes and tell no place."""
    return Captions({entry.id: Told(entry.label) for entry in catalog}, None)


def written_captions(catalog: Catalog, folder: Path) -> Captions:
    """Return the captions in a folder, whose files are named like the images' ids; images without one get their class.

    The period is that of the pattern beside the files. Raises DataError where no image of the catalog has a caption.
    """
    texts = folder / TEXTS if (folder / TEXTS).is_dir() else folder
    found = read_captions(texts)
    mine = {entry.id: found[entry.id] for entry in catalog if entry.id in found}
    if not mine:
        raise DataError(
            f"{folder} holds {len(found)} captions, none of them of the {len(catalog)} training images: expected "
            f"{next(iter(catalog)).id}.txt and so on; make them with `flawsmith captions`"
        )
    told = {id: Told(caption.name, (caption.x, caption.y)) for id, caption in mine.items()}
    homes = [home for home in (texts, texts.parent) if (home / PATTERN).is_file()]
    plane = Plane.periodic(load_pattern(homes[0]).lattice.period_xy) if homes else _plane_around(told)
    return Captions({**plain_captions(catalog).by_id, **told}, plane)


def located_captions(catalog: Catalog, whole: Catalog) -> Captions:
    """Return captions whose places are found by template matching; the pattern is measured on the good images of
    `whole`. An image that does not show it gets no place.

    Raises DataError where there is no repetitive pattern, TrainingError where there are no good images.
    """
    good = whole.labelled(GOOD).entries
    if not good:
        raise TrainingError(
            "latent.locate measures the pattern on good images, but the training part has none: give latent.captions"
        )
    chosen = np.unique(np.linspace(0, len(good) - 1, min(CaptionSettings().images, len(good))).astype(int))
    pattern = measure_pattern([read_image(good[number].image) for number in chosen])

    def told(entry: Entry) -> Told:
        try:
            phase = phase_of(read_image(entry.image), pattern)
        except DataError:
            return Told(entry.label)
        return Told(entry.label, (round(phase.x, 2), round(phase.y, 2)))

    return Captions({entry.id: told(entry) for entry in catalog}, Plane.periodic(pattern.lattice.period_xy))


def _plane_around(told: Mapping[str, Told]) -> Plane:
    return Plane.around([each.place for each in told.values() if each.place is not None])


def _pair(values: Any) -> XY:
    return float(values[0]), float(values[1])
