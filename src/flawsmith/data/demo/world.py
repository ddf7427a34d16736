"""Write a demo data set: machined metal with and without defects, as a folder that any reader can open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, write_json, write_text
from flawsmith.core.records import GOOD, Catalog, Image, Mask
from flawsmith.core.registry import unknown
from flawsmith.core.rng import stream
from flawsmith.data.demo.camera import photograph
from flawsmith.data.demo.defects import DEFECTS, add_defect
from flawsmith.data.demo.settings import DemoSettings
from flawsmith.data.demo.surface import draw_scene
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.readers import read_catalog

LAYOUT = "folder"
MARK = ".demo.json"
"""Says with which settings a folder was written, and whether to the end."""


class Shot(NamedTuple):
    """One photograph: its class, the part it shows, pixels, and defect mask (empty for a good part)."""

    label: str
    part: str
    image: Image
    mask: Mask


def render_part(rng: np.random.Generator, settings: DemoSettings) -> Image:
    """Return one photograph of a good part, HWC at the size, depth and channels of `settings`.

    >>> render_part(np.random.default_rng(0), DemoSettings(size_hw=(48, 64), channels=1)).shape
    (48, 64, 1)
    """
    return photograph(draw_scene(rng, settings), rng, settings)[0]


def render_defect(label: str, rng: np.random.Generator, settings: DemoSettings) -> tuple[Image, Mask]:
    """Return one photograph of a part with a defect, and the exact mask (HW bool, never empty).

    The defect is shaded before the camera looks, so optics, exposure and noise treat it as they treat the metal.
    """
    shot = next(_shots(label, "part", rng, settings))
    return shot.image, shot.mask


def render_shots(label: str, number: int, settings: DemoSettings) -> Iterator[Shot]:
    """Yield the photographs of part `number` of a class: shifted, with other exposure and noise; all share a group.

    Raises DataError for a class that the demo world does not have.
    """
    if label not in (GOOD, *DEFECTS):
        raise DataError(unknown("demo class", label, (GOOD, *DEFECTS)))
    return _shots(label, f"{label}-{number:04d}", stream(settings.seed, "demo", label, number), settings)


def _shots(label: str, part: str, rng: np.random.Generator, settings: DemoSettings) -> Iterator[Shot]:
    scene = draw_scene(rng, settings)
    if label != GOOD:
        scene = add_defect(scene, label, rng, settings)
    for _ in range(int(rng.integers(1, settings.most_shots + 1))):
        image, mask = photograph(scene, rng, settings)
        yield Shot(label, part, image, mask)


def write_demo(folder: Path, settings: DemoSettings) -> Catalog:
    """Write a demo data set as CLASS/images, CLASS/masks and groups.csv, and return its catalog.

    A folder already written with the same settings is left as it is, and an interrupted one is written to its end.
    Raises DataError if it holds anything else.
    """
    if _is_whole(folder, settings):
        return read_catalog(folder, LAYOUT)
    _mark(folder, settings, whole=False)
    rows = ["file,group"]
    for label, parts in {GOOD: settings.good, **dict.fromkeys(DEFECTS, settings.per_class)}.items():
        shots = (shot for number in range(parts) for shot in render_shots(label, number, settings))
        rows += [f"{_write(folder, number, shot)},{shot.part}" for number, shot in enumerate(shots)]
    write_text(folder / "groups.csv", "\n".join(rows) + "\n")
    _mark(folder, settings, whole=True)
    return read_catalog(folder, LAYOUT)


def _mark(folder: Path, settings: DemoSettings, *, whole: bool) -> None:
    write_json(folder / MARK, {"settings": settings.model_dump(mode="json"), "whole": whole})


def _is_whole(folder: Path, settings: DemoSettings) -> bool:
    """Return whether the folder holds this data set already; False if it is empty or the writing was interrupted."""
    mark = read_json(folder / MARK) if (folder / MARK).is_file() else None
    if mark is not None and mark["settings"] == settings.model_dump(mode="json"):
        return bool(mark["whole"])
    visible = sorted(path.name for path in folder.glob("[!.]*"))
    if visible:
        found = "a demo data set made with other settings" if mark is not None else ", ".join(visible[:3])
        raise DataError(f"{folder} already holds {found}: choose an empty folder for the demo data set")
    return False


def _write(folder: Path, number: int, shot: Shot) -> str:
    name = f"{shot.label}/images/{number:04d}.png"
    write_image(folder / name, shot.image)
    if shot.label != GOOD:
        write_mask(folder / shot.label / "masks" / f"{number:04d}.png", shot.mask)
    return name
