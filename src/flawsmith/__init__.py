"""flawsmith: learns what your defects look like, makes labelled ones, and proves whether they help.

>>> import flawsmith
>>> done = flawsmith.run("DATA", out="DIR", split={"shots": 10})  # doctest: +SKIP
>>> print(done.verdict)  # doctest: +SKIP
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Catalog": "core.records",
    "Defect": "core.records",
    "Entry": "core.records",
    "FlawsmithError": "core.errors",
    "Run": "recipes.run",
    "RunSettings": "recipes.settings",
    "Sample": "core.records",
    "VoteSettings": "data.votes.settings",
    "Votes": "recipes.votes",
    "load_sample": "data.loading",
    "read_catalog": "data.readers",
    "remake": "recipes.remake",
    "run": "recipes.run",
    "votes": "recipes.votes",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that `import flawsmith` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'flawsmith' has no attribute {name!r}")
    return getattr(import_module(f"flawsmith.{_HOMES[name]}"), name)
