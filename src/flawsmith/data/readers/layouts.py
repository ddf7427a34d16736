"""What each layout looks like, in its reader's own words."""

from __future__ import annotations

import inspect
import textwrap
from typing import NamedTuple

from flawsmith.data.readers.registry import READERS


class Layout(NamedTuple):
    """A layout's name, its one-line description, and a small example tree (empty where the reader gives none)."""

    name: str
    summary: str
    example: str


def layout(name: str) -> Layout:
    """Return what the layout `name` looks like, from its reader's docstring: the first line, and what is indented."""
    lines = (inspect.getdoc(READERS[name]) or name).splitlines()
    indented = "\n".join(line for line in lines if line.startswith("    "))
    return Layout(name, lines[0], textwrap.dedent(indented))


def layouts() -> list[Layout]:
    """Return every registered layout, in alphabetical order."""
    return [layout(name) for name in sorted(READERS)]
