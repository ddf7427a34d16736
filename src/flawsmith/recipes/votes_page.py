"""The page of a count: how well inspectors agree, and the pictures they should talk about; one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flawsmith.core.errors import ImageError
from flawsmith.core.records import Catalog, Entry, Image, Mask
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
from flawsmith.recipes.sections import LISTED, Row, Section

PICTURED = 40
"""Images of a section shown with pictures."""


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


def page(shown: Shown) -> str:
    """Return the count as one HTML page."""
    template = templates("flawsmith.recipes").get_template("votes_page.html.jinja")
    return template.render(
        name=printable(shown.catalog.name),
        numbers=shown.numbers,
        sections=[_unclear(shown), _suspects(shown), _checks(shown)],
    )


def _unclear(shown: Shown) -> Section:
    entries = {entry.id: entry for entry in shown.catalog}
    found = [
        (entries[each.image], f"{_said(each.image, shown.ballots)}: {'; '.join(each.reasons)}")
        for each in shown.unclear
    ]
    lead = "Seen differently, the least agreed first: decide together, and put them into the labelling guide."
    return _section("Ambiguous", lead, found, "ambiguous.csv", shown.ballots)


def _suspects(shown: Shown) -> Section:
    entries = shown.chosen.entries
    found = [
        (entries[each.place], f"voted {entries[each.place].label}, looks like {each.proposed} (score {each.score:.2f})")
        for each in shown.doubted.found or ()
    ]
    return _section("Suspects", shown.doubted.note, found, "suspects.csv")


def _checks(shown: Shown) -> Section:
    entries = {entry.id: entry for entry in shown.catalog}
    lead = (
        "Drawn at random from the voted images: look at each again, and write into spot_check.csv whether it is right."
    )
    found = [(entries[each.image], f"voted {each.label}") for each in shown.checks]
    return _section("Spot check", lead, found, "spot_check.csv")


def _section(
    title: str, lead: str, found: Sequence[tuple[Entry, str]], file: str, ballots: Sequence[Ballot] = ()
) -> Section:
    """Return a section of images and what is said of them, with what the ballots drew in them."""
    rows = [
        Row(printable(entry.id), text, list(_tiles(entry, ballots)) if number < PICTURED else [])
        for number, (entry, text) in enumerate(found[:LISTED])
    ]
    return Section(title, rows, len(found), file, lead)


def _said(image: str, ballots: Sequence[Ballot]) -> str:
    return ", ".join(f"{each.inspector} {each.labels[image]!r}" for each in ballots if image in each.labels)


def _tiles(entry: Entry, ballots: Sequence[Ballot]) -> Iterable[Tile]:
    """Yield the picture, then what each inspector has drawn in it."""
    try:
        pixels = read_image(entry.image)
    except ImageError:
        return
    yield plain_tile(pixels)
    for each in ballots:
        drawn = _drawn(each, entry.id, pixels)
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
