"""broken_link: a symbolic link that leads nowhere or in a circle; readers pass it over without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("broken_link")
def broken_link(seen: Survey) -> Iterator[Problem]:
    """Yield the links under the data folder whose target does not exist, or holds or is the link itself."""
    for link in broken_links(seen.catalog.root):
        text = f"{link} is a symbolic link that leads nowhere or round in a circle: put the file itself there"
        yield Problem(link, "broken_link", text, "warning")


def broken_links(root: Path) -> list[Path]:
    """Return the links under a folder that lead to nothing, to themselves or to a folder that they lie in."""
    links = list(_links(root))
    return [link for link in links if not link.exists() or link.parent.resolve().is_relative_to(link.resolve())]


def _links(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*folders, *files]):
            path = Path(folder) / name
            if path.is_symlink():
                yield path
