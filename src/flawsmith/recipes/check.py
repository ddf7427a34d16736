"""The first stage: read the data set and look for what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_json, write_json, write_text
from flawsmith.core.records import Catalog
from flawsmith.core.store import Manifest
from flawsmith.data.checks import Survey, printable, problems, survey
from flawsmith.data.checks.kinds.broken_link import broken_links
from flawsmith.data.checks.kinds.probable_groups import PROPOSED_FILE, proposed_groups
from flawsmith.data.checks.stored import stored_facts
from flawsmith.data.checks.survey import with_masks_on_disk
from flawsmith.data.loading import catalog_digest, save_catalog
from flawsmith.data.readers import read_catalog
from flawsmith.data.readers.inside import leaves
from flawsmith.data.unpacking import is_archive, unpacked
from flawsmith.recipes.check_page import page
from flawsmith.recipes.route import DEMO, Route

PROBLEMS, PAGE, CATALOG = "problems.json", "check.html", "catalog.json"
UNPACKED = "unpacked"
"""The folder of a run in which its data set lies where an archive was given."""
_FACTS = "facts.jsonl"
"""What is known of the images while the check is under way."""
_LISTED = 20


def check_stage(route: Route) -> Manifest:
    """Look at the data set (see `look`). Raises DataError, naming the files, if it cannot be used."""
    manifest = look(route)
    if manifest.counts.get("errors"):
        folder = route.folder("check")
        fatal = [row for row in read_json(folder / PROBLEMS) if row["severity"] == "error"]
        lines = "\n".join(f"  {row['file']}: {row['message']}" for row in fatal[:_LISTED])
        raise DataError(
            f"{len(fatal)} files cannot be used; mend or remove them, or have a copy without them written by "
            f"`flawsmith check --fix` ({folder / PAGE} shows all):\n{lines}"
        )
    return manifest


def look(route: Route) -> Manifest:
    """Read the data set, look for what is wrong with it, and store the findings, their page and the catalog."""
    catalog = opened(route)

    def work(out: Path) -> Mapping[str, Any]:
        with stored_facts(out / _FACTS) as stored:
            seen = survey(catalog, progress=route.progress, stored=stored)
        found = problems(seen)
        errors = sum(problem.severity == "error" for problem in found)
        write_json(out / PROBLEMS, [problem.to_json() for problem in found])
        write_text(out / PAGE, page(catalog, found))
        _write_proposal(out / PROPOSED_FILE, seen)
        if not errors:
            save_catalog(out / CATALOG, catalog)
        return {"images": len(catalog), "problems": len(found), "errors": errors}

    return route.do("check", route.settings.data.model_dump(mode="json"), _digests(catalog), work)


def opened(route: Route) -> Catalog:
    """Return the catalog of the run's data set, as its settings say it shall be read."""
    settings = route.settings.data
    root = _demo_data(route) if route.data == DEMO else _folder(route)
    return read_catalog(
        root.resolve(), layout=settings.layout, groups=settings.groups, classes=settings.classes, good=settings.good
    )


def _folder(route: Route) -> Path:
    """Return the data folder; an archive is unpacked inside the run."""
    data = Path(route.data)
    if not is_archive(data):
        return data
    route.progress("unpack", 0, 1, "")
    folder = unpacked(data, route.folder(UNPACKED))
    route.progress("unpack", 1, 1, "done")
    return folder


def _digests(catalog: Catalog) -> dict[str, str]:
    """Return the hashes of what is checked; what must not be opened, or cannot be named, counts by its name."""
    unusable = [printable(str(link.relative_to(catalog.root))) for link in broken_links(catalog.root)]
    usable = []
    for entry in with_masks_on_disk(catalog):
        paths = (entry.image, *(mask.path for mask in entry.masks))
        sound = all(printable(str(path)) == str(path) and not leaves(path, catalog.root) for path in paths)
        usable.append(entry) if sound else unusable.append(printable(entry.id))
    digests = {"data": catalog_digest(catalog.with_entries(usable))}
    return {**digests, "unusable": sha256_json(unusable)} if unusable else digests


def _write_proposal(path: Path, seen: Survey) -> None:
    groups = proposed_groups(seen)
    if groups:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["file", "group"])
        root = seen.catalog.root
        images = {entry.id: printable(entry.image.relative_to(root).as_posix()) for entry in seen.catalog}
        rows.writerows([images[id], group] for id, group in groups.items())
        write_text(path, text.getvalue())


def _demo_data(route: Route) -> Path:
    from flawsmith.data.demo import write_demo

    def work(out: Path) -> Mapping[str, Any]:
        return {"images": len(write_demo(out, route.settings.demo))}

    route.do("demo_data", route.settings.demo.model_dump(mode="json"), {}, work)
    return route.folder("demo_data")
