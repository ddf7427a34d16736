"""What each inspector says of each image: a table of labels (and boxes, if drawn), a folder of masks, or both.

An image is called by its path from the folder of images ("lot 3/001.png").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, MaskFile
from flawsmith.data.image_io import image_size_hw, read_image, read_mask
from flawsmith.data.readers.inside import leaves
from flawsmith.data.readers.labels import images_under
from flawsmith.data.readers.listing import masks_by_stem
from flawsmith.data.votes.tables import NamedBox, read_votes

MARKED = "defect"
"""What a mask with something marked in it says, where no table says more."""
_SHOWN = 3


@dataclass(frozen=True)
class Ballot:
    """One inspector's say, by image.

    `boxes` is None where the inspector drew none at all; else an image that was looked at has an entry, maybe empty.
    An empty mask of an image that the table does not call good says nothing of where the defect is: it is left out.
    """

    inspector: str
    labels: Mapping[str, str]
    boxes: Mapping[str, Sequence[NamedBox]] | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)


def list_images(root: Path, others: Iterable[Path] = ()) -> dict[str, Path]:
    """Return the images under a folder by their path from it, in natural order; those below `others` are left out.

    Raises DataError where there is none, or where a symbolic link leads out of the folder.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder: give the folder that holds the images")
    apart = [path.resolve() for path in others if path.is_dir()]
    found = [path for path in images_under(root) if not any(path.resolve().is_relative_to(each) for each in apart)]
    if not found:
        raise DataError(f"{root} holds no images: give the folder that holds those the inspectors have seen")
    for path in found:
        if leaves(path, root):
            raise DataError(f"{path} is a link that leads out of {root}: put the file itself there")
    return {path.relative_to(root).as_posix(): path for path in found}


def read_ballots(images: Mapping[str, Path], root: Path, given: Sequence[tuple[str, Path]]) -> list[Ballot]:
    """Read what inspectors gave: for each a table, a folder of masks, or one of each under the same name.

    Raises DataError for fewer than two inspectors, a path that is not there, a table or mask that names no image, an
    inspector whose masks and table contradict each other, or masks alone beside tables that name kinds of defects.
    """
    by: dict[str, list[Path]] = defaultdict(list)
    for name, path in given:
        by[name].append(path)
    if len(by) < 2:
        raise DataError(f"a vote needs at least two inspectors, got {', '.join(by) or 'none'}: give --by for each")
    ballots = [_ballot(name, paths, images, root) for name, paths in by.items()]
    _check_comparable(ballots, {name for name, paths in by.items() if all(path.is_dir() for path in paths)})
    return ballots


def mask_of(path: Path) -> MaskFile:
    """Return how an inspector's mask is read: what is half bright or brighter is marked."""
    return MaskFile(path, MARKED)


def _ballot(name: str, paths: Sequence[Path], images: Mapping[str, Path], root: Path) -> Ballot:
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise DataError(f"{name}: there is no {missing[0]}: give a table or a folder of masks")
    tables, folders = [path for path in paths if path.is_file()], [path for path in paths if path.is_dir()]
    if len(tables) > 1 or len(folders) > 1:
        raise DataError(f"{name}: {len(tables)} tables and {len(folders)} folders, expected at most one of each")
    masks = _masks(folders[0], images) if folders else {}
    marked = {image: _mask_label(path, images[image]) for image, path in masks.items()}
    if not tables:
        return Ballot(name, marked, None, masks)
    votes = read_votes(tables[0], root, images)
    _check_agreeing(name, votes.labels, marked)
    drawn = {image: path for image, path in masks.items() if marked[image] == MARKED or votes.labels.get(image) == GOOD}
    return Ballot(name, votes.labels, votes.boxes, drawn)


def _masks(folder: Path, images: Mapping[str, Path]) -> dict[str, Path]:
    """Return the masks in a folder by the image they are for: the same path, but for the suffix and `_mask`."""
    places = {_stem(image): image for image in images}
    if len(places) < len(images):
        twice = next(place for place, count in Counter(map(_stem, images)).items() if count > 1)
        raise DataError(f"two images are called {twice!r} but for the suffix: rename one, as masks go by that name")
    within = {path.parent for path in images_under(folder)} | {folder}
    masks = {
        (inner.relative_to(folder) / stem).as_posix(): path
        for inner in within
        for stem, path in masks_by_stem(inner).items()
    }
    lost = sorted(set(masks) - set(places))
    if lost:
        raise DataError(
            f"{folder} holds {len(lost)} masks of no image, for example {masks[lost[0]]}: expected the image's own path"
        )
    for path in masks.values():
        if leaves(path, folder):
            raise DataError(f"{path} is a link that leads out of {folder}: put the file itself there")
    return {places[place]: path for place, path in masks.items()}


def _mask_label(path: Path, image: Path) -> str:
    mask = read_mask(mask_of(path), image_size_hw(image))
    if not mask.any() and (faint := int(read_image(path).max())):
        raise DataError(f"{path} marks nothing, but holds values up to {faint}: multiply them to reach 255")
    return MARKED if mask.any() else GOOD


def _check_agreeing(name: str, labels: Mapping[str, str], marked: Mapping[str, str]) -> None:
    wrong = [image for image, label in marked.items() if label == MARKED and labels.get(image) == GOOD]
    if wrong:
        shown = ", ".join(wrong[:_SHOWN])
        raise DataError(
            f"{name}: {len(wrong)} images are {GOOD!r} in the table but marked in a mask ({shown}): mend one"
        )


def _check_comparable(ballots: Sequence[Ballot], plain: set[str]) -> None:
    """Raise DataError where masks alone would vote against names of defects, and so could never agree."""
    names = {label for each in ballots if each.inspector not in plain for label in each.labels.values()}
    if plain and names - {GOOD, MARKED}:
        who, kind = sorted(plain)[0], sorted(names - {GOOD, MARKED})[0]
        raise DataError(
            f"the masks of {who!r} say only {GOOD!r} or {MARKED!r}, others say {kind!r}: give a table for {who!r}, too"
        )


def _stem(image: str) -> str:
    return PurePosixPath(image).with_suffix("").as_posix()
