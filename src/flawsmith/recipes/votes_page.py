"""The page of a count: how well inspectors agree, and the pictures they should talk about; one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import ImageError
from flawsmith.core.records import Catalog, Image, Mask
from flawsmith.data.checks import printable
from flawsmith.data.image_io import read_image, read_mask
from flawsmith.data.rasterise import box_mask
from flawsmith.data.votes.ballots import Ballot, mask_of
from flawsmith.data.votes.counting import Vote
from flawsmith.data.votes.disputes import Ambiguous
from flawsmith.data.votes.doubting import Doubts
from flawsmith.proof.report.data import Tile
from flawsmith.proof.report.pictures import plain_tile, tile
from flawsmith.proof.report.templates import templates

PICTURED, LISTED = 40, 500
"""Images of a section shown with pictures, and shown at all."""


@dataclass(frozen=True)
class Shown:
    """All that the page shows; `chosen` are the images with a voted label, of which `doubted` speaks."""

    catalog: Catalog
    ballots: Sequence[Ballot]
    numbers: Mapping[str, Any]
    unclear: Sequence[Ambiguous]
    checks: Sequence[Vote]
    chosen: Catalog
    doubted: Doubts


@dataclass(frozen=True)
class Row:
    """One image as it is shown."""

    image: str
    text: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Section:
    """Images to look at: `more` are not shown, but stand in `file`."""

    title: str
    lead: str
    rows: Sequence[Row]
    more: int
    file: str


def page(shown: Shown) -> str:
    """Return the count as one HTML page."""
    template = templates("flawsmith.recipes").get_template("votes_page.html.jinja")
    return template.render(
        name=printable(shown.catalog.name),
        numbers=shown.numbers,
        sections=[_unclear(shown), _suspects(shown), _checks(shown)],
    )


def _unclear(shown: Shown) -> Section:
    images = {entry.id: entry.image for entry in shown.catalog}
    rows = []
    for number, each in enumerate(shown.unclear[:LISTED]):
        tiles = list(_tiles(images[each.image], each.image, shown.ballots)) if number < PICTURED else []
        rows.append(Row(printable(each.image), f"{_said(each.image, shown.ballots)}: {'; '.join(each.reasons)}", tiles))
    lead = "Seen differently, the least agreed first: decide together, and put them into the labelling guide."
    return Section("Ambiguous", lead, rows, len(shown.unclear) - len(rows), "ambiguous.csv")


def _suspects(shown: Shown) -> Section:
    found = shown.doubted.found or ()
    rows = []
    for number, each in enumerate(found[:LISTED]):
        entry = shown.chosen.entries[each.place]
        tiles = list(_tiles(entry.image, entry.id, ())) if number < PICTURED else []
        rows.append(
            Row(printable(entry.id), f"voted {entry.label}, looks like {each.proposed} (score {each.score:.2f})", tiles)
        )
    return Section("Suspects", shown.doubted.note, rows, len(found) - len(rows), "suspects.csv")


def _checks(shown: Shown) -> Section:
    images = {entry.id: entry.image for entry in shown.catalog}
    rows = []
    for number, each in enumerate(shown.checks[:LISTED]):
        tiles = list(_tiles(images[each.image], each.image, ())) if number < PICTURED else []
        rows.append(Row(printable(each.image), f"voted {each.label}", tiles))
    lead = (
        "Drawn at random from the voted images: look at each again, and write into spot_check.csv whether it is right."
    )
    return Section("Spot check", lead, rows, len(shown.checks) - len(rows), "spot_check.csv")


def _said(image: str, ballots: Sequence[Ballot]) -> str:
    return ", ".join(f"{each.inspector} {each.labels[image]!r}" for each in ballots if image in each.labels)


def _tiles(path: Path, image: str, ballots: Sequence[Ballot]) -> Iterable[Tile]:
    """Yield the picture, then what each inspector has drawn in it."""
    try:
        pixels = read_image(path)
    except ImageError:
        return
    yield plain_tile(pixels)
    for each in ballots:
        drawn = _drawn(each, image, pixels)
        if drawn.any():
            yield tile(pixels, drawn, printable(each.inspector))


def _drawn(ballot: Ballot, image: str, pixels: Image) -> Mask:
    size_hw = (pixels.shape[0], pixels.shape[1])
    if image in ballot.masks:
        return read_mask(mask_of(ballot.masks[image]), size_hw)
    drawn = np.zeros(size_hw, bool)
    for box in (ballot.boxes or {}).get(image, ()):
        drawn |= box_mask(box.box_xyxy, size_hw)
    return drawn
