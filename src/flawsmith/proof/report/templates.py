"""How pages and cards are written from templates."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates(package: str, **options: Any) -> Environment:
    """Return the templates in the folder of a package.

    What they show is escaped as HTML unless `options` of jinja2's Environment say otherwise; a name that is missing is
    an error, never an empty place.
    """
    usual = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=PackageLoader(package, "."), **{**usual, **options})
