"""The page of the check: what is wrong, with names and pictures; one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flawsmith.core.errors import ImageError
from flawsmith.core.records import Catalog
from flawsmith.data.checks import Problem, printable
from flawsmith.data.enough import ClassSize, class_sizes, experience
from flawsmith.data.image_io import IMAGE_SUFFIXES, read_image
from flawsmith.data.readers.inside import leaves
from flawsmith.proof.report.data import Tile
from flawsmith.proof.report.pictures import plain_tile
from flawsmith.proof.report.templates import templates
from flawsmith.recipes.sections import LISTED, Row, Section

PICTURED, TILES = 12, 4
"""Findings of a kind shown with pictures, and pictures per finding."""
_SEVERITIES = ("error", "warning", "note")
_UNSEEN = ("unreadable", "truncated", "too_large", "link_outside", "broken_link")
"""Kinds whose files are not opened for a picture."""


def page(catalog: Catalog, problems: Sequence[Problem]) -> str:
    """Return what was found in a data set as one HTML page, the worst first."""
    kinds = sorted({(_SEVERITIES.index(each.severity), each.kind) for each in problems})
    counts = {severity: sum(each.severity == severity for each in problems) for severity in _SEVERITIES}
    template = templates("flawsmith.recipes").get_template("check_page.html.jinja")
    return template.render(
        name=printable(catalog.name),
        images=len(catalog),
        layout=catalog.layout,
        counts=counts,
        classes=[_plain(each) for each in class_sizes(catalog)],
        experience=experience(),
        sections=[_section(catalog.root, kind, problems) for _, kind in kinds],
    )


def _plain(size: ClassSize) -> ClassSize:
    return replace(size, label=printable(size.label))


def _section(root: Path, kind: str, problems: Sequence[Problem]) -> Section:
    mine = [each for each in problems if each.kind == kind]
    rows = [_row(root, each, number < PICTURED) for number, each in enumerate(mine[:LISTED])]
    severity = mine[0].severity
    return Section(f"{severity}: {kind.replace('_', ' ')}", rows, len(mine), "problems.json", severity=severity)


def _row(root: Path, problem: Problem, pictured: bool) -> Row:
    seen = (problem.file, *problem.others) if pictured and problem.kind not in _UNSEEN else ()
    tiles = [found for path in seen[: TILES + 1] if (found := _tile(root, path)) is not None]
    return Row(_short(root, problem.file), printable(problem.message), tiles[:TILES])


def _tile(root: Path, path: Path) -> Tile | None:
    if path.suffix.lower() not in IMAGE_SUFFIXES or leaves(path, root):
        return None
    try:
        return plain_tile(read_image(path), _short(root, path))
    except ImageError:
        return None


def _short(root: Path, path: Path) -> str:
    return printable(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))
