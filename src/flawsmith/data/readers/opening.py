"""Open a folder of images as a catalog, whatever its layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from flawsmith.core.errors import DataError, LayoutError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.registry import unknown
from flawsmith.data.readers.groups import GROUPS_FILE, with_groups
from flawsmith.data.readers.inside import refuse_links_out
from flawsmith.data.readers.layouts import layout as described
from flawsmith.data.readers.registry import READERS

_WAYS = ("files", "folders", "labels")


def recognised(root: Path) -> list[str]:
    """Return the layouts that a folder can be read as.

    Where several recognise it, readers of files that say what is what go first; then, of those whose attribute
    `goes_by` is "folders" (their names alone) and "labels" (numbers in label files), folders where they hold masks,
    else labels.
    """
    names = [name for name in READERS if READERS[name].recognises(root)]
    by = {way: [name for name in names if getattr(READERS[name], "goes_by", "files") == way] for way in _WAYS}
    if by["files"] or not (by["folders"] and by["labels"]):
        return by["files"] or names
    return [name for name in by["folders"] if any(each.masks for each in READERS[name].read(root))] or by["labels"]


def detect(root: Path) -> str:
    """Return the name of the layout that recognises a folder.

    Raises LayoutError, saying what was looked for, where none does or more than one; DataError where a table in the
    folder cannot be read, or a link leads out of it.
    """
    if not root.is_dir():
        raise LayoutError(f"{root} is not a folder: give the folder that holds the images")
    refuse_links_out(root)
    names = recognised(root)
    if len(names) == 1:
        return names[0]
    looked = "; ".join(f"{name}: {described(name).summary}" for name in names or READERS)
    if names:
        raise LayoutError(f"{root} can be read in {len(names)} ways, name one as the layout: {looked}")
    raise LayoutError(f"{root} has no known layout. Looked for {looked}")


def read_catalog(
    root: Path,
    layout: str | None = None,
    groups: Path | None = None,
    classes: Sequence[str] | None = None,
    good: Sequence[str] | None = None,
) -> Catalog:
    """Read a data set.

    `layout` names the reader (found by looking where not given), `groups` a CSV with the columns file and group
    (`groups.csv` in the root where not given), `classes` the only defect classes to keep beside the good images, and
    `good` folders of good parts that are named unusually. Raises LayoutError where the folder cannot be read so, and
    DataError for a class or a file that does not exist, proposing the nearest, and for a link that leads out.
    """
    name = detect(root) if layout is None else layout
    if name not in READERS:
        raise LayoutError(unknown(READERS.kind, name, READERS))
    refuse_links_out(root)
    catalog = READERS[name].read(root)
    if not len(catalog):
        raise LayoutError(f"{root}: no images for the layout {name!r}. It is: {described(name).summary}")
    if groups is None and (root / GROUPS_FILE).is_file():
        groups = root / GROUPS_FILE
    catalog = catalog if groups is None else with_groups(catalog, groups)
    catalog = catalog if good is None else _with_good(catalog, good)
    return catalog if classes is None else _with_classes(catalog, classes)


def _with_good(catalog: Catalog, good: Sequence[str]) -> Catalog:
    known = {folder for entry in catalog for folder in _folders(entry)}
    wanted = {_known("folder of good parts", name, known) for name in good}
    chosen = (replace(each, label=GOOD, masks=()) if _folders(each) & wanted else each for each in catalog)
    return catalog.with_entries(chosen)


def _folders(entry: Entry) -> set[str]:
    return {entry.label, *PurePosixPath(entry.id).parts[:-1]}


def _with_classes(catalog: Catalog, classes: Sequence[str]) -> Catalog:
    wanted = [_known("defect class", name, catalog.defect_labels) for name in classes if name != GOOD]
    return catalog.labelled(GOOD, *wanted)


def _known(kind: str, name: str, known: Sequence[str] | set[str]) -> str:
    names = sorted(known)
    same = [each for each in names if each == name] or [each for each in names if each.casefold() == name.casefold()]
    if not same:
        raise DataError(unknown(kind, name, names))
    return same[0]
