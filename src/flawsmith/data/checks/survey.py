"""The facts of a whole data set: what the checks look at. Few images are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog, Entry, MaskFile
from flawsmith.data.checks.alike import LEAST_CONTRAST, Alike, alike
from flawsmith.data.checks.facts import ImageFacts, image_facts
from flawsmith.data.checks.stored import StoredFacts
from flawsmith.data.loading import identical_files
from flawsmith.data.parallel import in_threads
from flawsmith.data.readers.listing import MASK_FOLDERS, images_in, masks_by_stem, pair_up

Mapped = Callable[[Callable[..., Any], Any], Any]
"""`map` that yields as it goes on: the built-in one, or that of a pool of workers."""


@dataclass(frozen=True)
class Survey:
    """A catalog and the facts of its entries by id. Here, good images have the masks that lie on disk for them."""

    catalog: Catalog
    facts: Mapping[str, ImageFacts]

    def __iter__(self) -> Iterator[tuple[Entry, ImageFacts]]:
        return ((entry, self.facts[entry.id]) for entry in self.catalog)

    @cached_property
    def readable(self) -> Catalog:
        """The entries whose image can be read."""
        return self.catalog.with_entries(entry for entry, facts in self if facts.fault is None)

    @cached_property
    def readable_by_label(self) -> Mapping[str, list[Entry]]:
        """The same by label."""
        found: dict[str, list[Entry]] = {}
        for entry in self.readable:
            found.setdefault(entry.label, []).append(entry)
        return found

    @cached_property
    def grouped(self) -> bool:
        """Whether the user has said which images belong together."""
        return any(entry.group != entry.id for entry in self.catalog)

    @cached_property
    def identical(self) -> list[tuple[Entry, ...]]:
        """The sets of readable entries whose image files have the same bytes."""
        return identical_files(self.readable)

    @cached_property
    def compared(self) -> list[Entry]:
        """The entries that `alike` numbers: those with something to see."""
        return [entry for entry, facts in self if facts.thumbnail is not None and facts.contrast >= LEAST_CONTRAST]

    @cached_property
    def alike(self) -> list[Alike]:
        """The pairs of `compared` entries that show nearly the same."""
        return alike([thumb for entry in self.compared if (thumb := self.facts[entry.id].thumbnail) is not None])


def survey(
    catalog: Catalog, mapped: Mapped = in_threads, progress: Progress = silent, stored: StoredFacts | None = None
) -> Survey:
    """Look at every file of a catalog once, but for what is `stored`; the rest is stored there as it is found.

    Each image is looked at alone, so `mapped` may be any pool's.
    """
    complete = with_masks_on_disk(catalog)
    facts = dict(stored.known) if stored else {}
    unknown = [entry for entry in complete if entry.id not in facts]
    looked = mapped(partial(image_facts, root=catalog.root), unknown)
    for number, (entry, each) in enumerate(zip(unknown, looked, strict=True), len(complete) - len(unknown) + 1):
        facts[entry.id] = each
        if stored:
            stored.add(entry.id, each)
        progress("images", number, len(complete), "")
    return Survey(complete, facts)


def with_masks_on_disk(catalog: Catalog) -> Catalog:
    """Return the catalog with the masks that lie on disk for good images, which readers leave out."""
    found = _MasksOnDisk(catalog.root)
    return catalog.with_entries(
        replace(entry, masks=found(entry)) if entry.label == GOOD and not entry.masks else entry for entry in catalog
    )


class _MasksOnDisk:
    """Finds the mask of an image in the places where readers look; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: dict[Path, dict[str, Path]] = {}

    def __call__(self, entry: Entry) -> tuple[MaskFile, ...]:
        folder = entry.image.parent
        if folder not in self.listed:
            self.listed[folder] = self._masks(folder)
        mask = self.listed[folder].get(entry.image.stem)
        return () if mask is None or mask == entry.image else (MaskFile(mask, GOOD),)

    def _masks(self, folder: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        above = folder.parent
        for name in MASK_FOLDERS:
            places = [folder / name, self.root / name / folder.name]
            if above != self.root:
                places += [above / name, self.root / name / above.name, self.root / name / above.name / folder.name]
            for place in places:
                found = masks_by_stem(place) | found
        beside = {image.stem: mask for image, mask in pair_up(images_in(folder)) if mask is not None}
        return beside | found
