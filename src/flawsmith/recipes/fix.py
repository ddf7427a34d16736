"""Check a data set and write a cleaned copy of it."""

from __future__ import annotations

from pathlib import Path

from flawsmith.core.files import read_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.data.checks import Problem, printable
from flawsmith.data.fixes import Change, fix, refuse
from flawsmith.recipes.check import PROBLEMS, look, opened
from flawsmith.recipes.run import begun
from flawsmith.recipes.settings import RunSettings


def fix_data(
    data: str | Path, out: str | Path, cleaned: str | Path, *, settings: RunSettings, progress: Progress = silent
) -> list[Change]:
    """Check the data set in folder `data` into the run folder `out` and write a cleaned copy to `cleaned`.

    Returns what was changed. Raises DataError where `cleaned` lies inside the data or is not empty.
    """
    route = begun(data, Path(out), settings, progress)
    catalog = opened(route)
    refuse(catalog.root, Path(cleaned))
    look(route)
    paths = [path for entry in catalog for path in (entry.image, *(mask.path for mask in entry.masks))]
    by_name = {printable(str(path)): path for path in paths}
    rows = read_json(route.folder("check") / PROBLEMS)
    found = [Problem.from_json(row, lambda name: by_name.get(name, Path(name))) for row in rows]
    return fix(catalog, found, Path(cleaned))
