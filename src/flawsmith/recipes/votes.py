"""Count what several inspectors say of the same images: voted labels, agreement, what to explain, what to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_file, sha256_json, write_json, write_text
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.rng import stream
from flawsmith.core.settings import validated
from flawsmith.core.store import read_manifest, run_stage
from flawsmith.data.checks import printable
from flawsmith.data.loading import image_sha256
from flawsmith.data.readers.groups import GROUPS_FILE, with_groups
from flawsmith.data.votes.ballots import Ballot, list_images, read_ballots
from flawsmith.data.votes.consensus_masks import write_consensus
from flawsmith.data.votes.counting import STATUSES, Vote, tally, vote
from flawsmith.data.votes.disputes import ambiguous, compare_boxes
from flawsmith.data.votes.doubting import doubts
from flawsmith.data.votes.settings import VoteSettings
from flawsmith.data.votes.suspects import cleanlab_version
from flawsmith.metrics.agreement import agreement
from flawsmith.recipes import votes_files as files
from flawsmith.recipes.votes_numbers import box_numbers, counts_of, kappas, label_numbers, mask_numbers
from flawsmith.recipes.votes_page import Shown, page

STAGE, PAGE, NUMBERS = "votes", "votes.html", "agreement.json"


@dataclass(frozen=True)
class Votes:
    """A finished count: where it lies and what came out."""

    folder: Path

    @property
    def page(self) -> Path:
        """The HTML page with the pictures."""
        return self.folder / PAGE

    @property
    def labels(self) -> dict[str, str]:
        """The voted labels by image; images without one are not in it."""
        return files.read_labels(self.folder)

    @property
    def agreement(self) -> dict[str, Any]:
        """Kappas, counts, and what boxes and masks disagree on."""
        found: dict[str, Any] = read_json(self.folder / NUMBERS)
        return found

    @property
    def summary(self) -> str:
        """What became of the images, and what is to be said of suspects, in words."""
        counts = self.counts
        became = ", ".join(f"{status} {counts[status]}" for status in STATUSES if status in counts)
        suspect = f", {counts['suspects']} suspects" if counts["suspects"] is not None else ""
        return f"{counts['images']} images: {became}; {counts['ambiguous']} ambiguous{suspect}. {counts['note']}"

    @property
    def counts(self) -> Mapping[str, Any]:
        """How many images have which status, are ambiguous or suspect (None: not looked for); a note."""
        return read_manifest(self.folder).counts


@dataclass(frozen=True)
class _Given:
    """What is counted: the images with their groups, and what was said of them."""

    catalog: Catalog
    ballots: Sequence[Ballot]

    @property
    def images(self) -> dict[str, Path]:
        return {entry.id: entry.image for entry in self.catalog}


def votes(
    images: str | Path, by: Mapping[str, str | Path | Sequence[str | Path]], out: str | Path, *,
    settings: VoteSettings | None = None, progress: Progress = silent, **values: Any,
) -> Votes:  # fmt: skip
    """Count the labels that inspectors gave to the images in a folder; everything is written to the folder `out`/votes.

    `by` maps each inspector's name to a table (file, label; x1, y1, x2, y2 and a row per box, if boxes were drawn), a
    folder of masks named like the images, or both. `values` are settings by name, for example `least_votes=3`. Nothing
    is done where it is done already. Raises FlawsmithError with what was got, what was expected and what to do.
    """
    chosen = validated(VoteSettings, {**(settings or VoteSettings()).model_dump(), **values})
    root, folder = Path(images), Path(out) / STAGE
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{folder} lies inside the folder of images {root}, which is never changed: choose another")
    pairs = [(name, Path(path)) for name, paths in by.items() for path in _several(paths)]
    found = list_images(root, (path for _, path in pairs))
    given = _Given(_catalog(root, found, chosen), read_ballots(found, root, pairs))
    plain = chosen.model_dump(mode="json")
    run_stage(STAGE, folder, plain, _digests(given), lambda here: _count(given, chosen, here, progress))
    return Votes(folder)


def _count(given: _Given, settings: VoteSettings, out: Path, progress: Progress) -> Mapping[str, Any]:
    said = tally(given.images, given.ballots)
    voted = [_vote(image, given.ballots, settings) for image in given.images]
    agreed = dict(zip(said.images, agreement(said.counts).tolist(), strict=True))
    masks = write_consensus(out, given.images, given.ballots, voted, progress)
    boxes = compare_boxes(said.images, given.ballots, settings)
    unclear = ambiguous(voted, agreed, boxes, masks, settings)
    checks = _drawn([each for each in voted if each.label is not None], settings)
    chosen = _voted_catalog(given.catalog, voted)
    doubted = doubts(chosen, settings, progress)
    numbers = {
        **counts_of(said, voted),
        **kappas(said, [entry.group for entry in given.catalog], settings),
        "labels": label_numbers(said, voted),
        "boxes": box_numbers(boxes),
        "masks": mask_numbers(masks.values()),
        "suspects": doubted.note,
    }
    write_json(out / NUMBERS, files.valid_text(numbers))
    files.write_votes(out, said, voted, agreed, masks)
    files.write_labels(out, voted, masks)
    files.write_ambiguous(out, unclear)
    files.write_spot_check(out, checks, agreed)
    if doubted.found is not None:
        files.write_suspects(out, chosen, doubted.found)
    write_text(out / PAGE, page(Shown(given.catalog, given.ballots, numbers, unclear, checks, chosen, doubted)))
    found = {"ambiguous": len(unclear), "suspects": None if doubted.found is None else len(doubted.found)}
    return {"images": len(voted), **numbers["status"], **found, "note": doubted.note}


def _vote(image: str, ballots: Sequence[Ballot], settings: VoteSettings) -> Vote:
    given = [each.labels[image] for each in ballots if image in each.labels]
    return vote(image, given, settings.least_votes, settings.dropped)


def _drawn(voted: Sequence[Vote], settings: VoteSettings) -> list[Vote]:
    """Return images drawn at random, in their own order."""
    rng = stream(settings.seed, "spot_check")
    return [voted[place] for place in sorted(rng.permutation(len(voted))[: settings.spot_checks].tolist())]


def _catalog(root: Path, images: Mapping[str, Path], settings: VoteSettings) -> Catalog:
    """Return the images as a catalog, their paths as ids, with the groups that are given; labels are not known yet."""
    entries = (Entry(image, path, GOOD, image) for image, path in images.items())
    catalog = Catalog(root.resolve().name, root, STAGE, tuple(entries))
    own = root / GROUPS_FILE
    file = settings.groups or (own if own.is_file() else None)
    return catalog if file is None else with_groups(catalog, file)


def _voted_catalog(catalog: Catalog, voted: Sequence[Vote]) -> Catalog:
    pairs = zip(catalog, voted, strict=True)
    return catalog.with_entries(
        Entry(entry.id, entry.image, each.label, entry.group) for entry, each in pairs if each.label is not None
    )


def _digests(given: _Given) -> dict[str, str]:
    """Return the hashes of all that decides the count, whether cleanlab is there among them."""
    seen = [[printable(entry.id), printable(entry.group), image_sha256(entry)] for entry in given.catalog]
    said = {f"by {each.inspector}": sha256_json(files.valid_text(_content(each))) for each in given.ballots}
    return {"images": sha256_json(seen), "cleanlab": cleanlab_version() or "absent", **said}


def _content(ballot: Ballot) -> list[Any]:
    masks = {image: sha256_file(path) for image, path in ballot.masks.items()}
    return [ballot.labels, ballot.boxes, masks]


def _several(paths: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    return [paths] if isinstance(paths, str | Path) else paths
