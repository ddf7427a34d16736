"""Find where in the product's pattern each image lies, and write it as captions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_file, write_text
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.store import Manifest
from flawsmith.data.coordinates import (
    Caption,
    Pattern,
    load_pattern,
    measure_pattern,
    phase_of,
    save_pattern,
    write_captions,
)
from flawsmith.data.coordinates.pattern import PATTERN, TEMPLATE
from flawsmith.data.coordinates.settings import CaptionSettings
from flawsmith.data.image_io import read_image
from flawsmith.data.loading import load_catalog
from flawsmith.recipes.check import CATALOG, check_stage
from flawsmith.recipes.run import begun
from flawsmith.recipes.settings import RunSettings

STAGE, TEXTS, TABLE = "captions", "texts", "phases.csv"


def caption_data(data: str | Path, out: str | Path, *, settings: RunSettings, progress: Progress = silent) -> Manifest:
    """Check the data set in folder `data` and write the stage `captions` into the run folder `out`.

    It holds a text per image (`texts/ID.txt`: x, y, name), the template of one period and its lattice, and a table of
    all images with the confidence of their place. Raises DataError where the good images show no repetitive pattern.
    """
    route = begun(data, Path(out), settings, progress)
    check_stage(route)
    chosen = settings.captions
    inputs = {"check": route.digest("check")}
    if chosen.like is not None:
        load_pattern(chosen.like)
        inputs |= {name: sha256_file(chosen.like / name) for name in (TEMPLATE, PATTERN)}

    def work(folder: Path) -> Mapping[str, Any]:
        return _write(load_catalog(route.folder("check") / CATALOG), chosen, folder, progress)

    return route.do(STAGE, chosen.model_dump(mode="json"), inputs, work)


def _write(catalog: Catalog, settings: CaptionSettings, folder: Path, progress: Progress) -> dict[str, Any]:
    pattern = load_pattern(settings.like) if settings.like else _measured(catalog, settings.images)
    save_pattern(folder, pattern)
    captions, rows = {}, []
    for done, entry in enumerate(catalog, 1):
        row, caption = _located(entry, pattern, settings.least_confidence)
        rows.append(row)
        if caption is not None:
            captions[entry.id] = caption
        progress(STAGE, done, len(catalog), entry.id)
    write_captions(folder / TEXTS, captions)
    _write_table(folder / TABLE, rows)
    x, y = (round(period, 3) for period in pattern.lattice.period_xy)
    counts = {"images": len(catalog), "captions": len(captions), "unsure": len(catalog) - len(captions)}
    return {**counts, "period_x_px": x, "period_y_px": y}


def _measured(catalog: Catalog, most: int) -> Pattern:
    good = catalog.labelled(GOOD).entries
    if not good:
        raise DataError(f"{catalog.root} holds no good images: the pattern is measured on those, add one at least")
    numbers = np.unique(np.linspace(0, len(good) - 1, min(most, len(good))).astype(int))
    return measure_pattern([read_image(good[number].image) for number in numbers])


def _located(entry: Entry, pattern: Pattern, least: float) -> tuple[Sequence[Any], Caption | None]:
    try:
        phase = phase_of(read_image(entry.image), pattern, least_confidence=least)
    except DataError as error:
        return (entry.id, "", "", "", entry.label, str(error)), None
    caption = Caption(round(phase.x, 2), round(phase.y, 2), entry.label)
    return (entry.id, caption.x, caption.y, round(phase.confidence, 3), entry.label, ""), caption


def _write_table(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "x", "y", "confidence", "name", "problem"])
    table.writerows(rows)
    write_text(path, text.getvalue())
