"""The records that cross rooms. Each checks itself on construction.

Borders: images are HWC uint8 or uint16 with 1 or 3 channels; masks are HW bool, True on the defect;
boxes are xyxy in pixels, half open (x1 and y1 lie outside).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError

GOOD = "good"
"""The label of a part without a defect."""

Image = NDArray[Any]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Defect:
    """One defect instance: its class and its mask over the whole image (HW bool, at least one True pixel).

    `approximate` says that the mask is no more than near: drawn from a box, or proposed.
    """

    label: str
    mask: Mask
    approximate: bool = False

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != np.bool_:
            raise DataError(f"a defect mask is HW bool, got shape {self.mask.shape} of {self.mask.dtype}")
        if not self.mask.any():
            raise DataError(f"the mask of a {self.label!r} defect is empty: drop it, or label the image {GOOD!r}")

    @property
    def box_xyxy(self) -> Box:
        """The smallest half-open box around the mask, in pixels."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


@dataclass(frozen=True)
class Sample:
    """One image in memory with its label and defect instances.

    A sample labelled with a defect class may have no defect masks: then only its class is known.
    """

    id: str
    image: Image
    label: str = GOOD
    defects: tuple[Defect, ...] = ()

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"{self.id}: an image is HWC uint8 or uint16 with 1 or 3 channels, got {image.shape} of {image.dtype}"
            )
        for defect in self.defects:
            if defect.mask.shape != image.shape[:2]:
                raise DataError(f"{self.id}: the image is {image.shape[:2]} but a mask is {defect.mask.shape}")
        if self.label == GOOD and self.defects:
            raise DataError(f"{self.id}: labelled {GOOD!r} but has {len(self.defects)} defects")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def mask(self) -> Mask:
        """The union of all defect masks, HW bool."""
        union = np.zeros(self.size_hw, bool)
        for defect in self.defects:
            union |= defect.mask
        return union


@dataclass(frozen=True)
class MaskFile:
    """A mask on disk: pixels whose value is at least `threshold` (in the file's own units) belong to `label`.

    `value`, where given, selects the pixels equal to it instead: a number (instance or class-index masks), or red,
    green and blue (masks with a colour per class). `approximate` says that nobody has drawn the mask: it was proposed.
    """

    path: Path
    label: str
    threshold: int = 128
    value: int | tuple[int, int, int] | None = None
    approximate: bool = False


MaskSource = MaskFile | DrawnMask
"""Where the mask of one defect comes from: a picture, or numbers in a label file."""


@dataclass(frozen=True)
class Entry:
    """One image of a data set, on disk.

    `id` is unique in its catalog and looks like a relative path without suffix (`broken_large/003`). Entries that
    show the same part, shot or burst share a `group` and never straddle a split. `split` is what the data set itself
    declares ("train" or "test"), or None. `background` is the id of the real image that a synthetic one was painted on,
    where it shows the same surface elsewhere.
    """

    id: str
    image: Path
    label: str
    group: str
    masks: tuple[MaskSource, ...] = ()
    split: str | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        if not self.id or PurePosixPath(self.id).is_absolute() or ".." in PurePosixPath(self.id).parts:
            raise DataError(f"an entry id is a relative path without '..', got {self.id!r}")
        if self.split not in (None, "train", "test"):
            raise DataError(f"{self.id}: split is 'train', 'test' or None, got {self.split!r}")


@dataclass(frozen=True)
class Catalog:
    """A data set on disk: where it lies, the layout it was read as, and its entries with unique ids."""

    name: str
    root: Path
    layout: str
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for entry in self.entries:
            if entry.id in seen:
                raise DataError(f"{self.name}: two entries have the id {entry.id!r}")
            seen.add(entry.id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def defect_labels(self) -> tuple[str, ...]:
        """The defect classes in alphabetical order."""
        return tuple(sorted({entry.label for entry in self.entries} - {GOOD}))

    def with_entries(self, entries: Iterable[Entry]) -> Catalog:
        """Return the same catalog with other entries."""
        return Catalog(self.name, self.root, self.layout, tuple(entries))

    def labelled(self, *labels: str) -> Catalog:
        """Return the part of the catalog that has one of these labels."""
        return self.with_entries(entry for entry in self.entries if entry.label in labels)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; paths are written relative to the root where they lie under it."""
        return {
            "name": self.name,
            "root": str(self.root),
            "layout": self.layout,
            "entries": [_entry_to_json(entry, self.root) for entry in self.entries],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Catalog:
        """Rebuild a catalog from `to_json` data."""
        root = Path(data["root"])
        return cls(data["name"], root, data["layout"], tuple(_entry_from_json(each, root) for each in data["entries"]))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _entry_to_json(entry: Entry, root: Path) -> dict[str, Any]:
    masks = [_mask_to_json(mask, root) for mask in entry.masks]
    plain = {"id": entry.id, "image": _relative(entry.image, root), "label": entry.label, "group": entry.group}
    painted = {} if entry.background is None else {"background": entry.background}
    return {**plain, "masks": masks, "split": entry.split, **painted}


def _mask_to_json(mask: MaskSource, root: Path) -> dict[str, Any]:
    plain = {"path": _relative(mask.path, root), "label": mask.label}
    if isinstance(mask, DrawnMask):
        return {**plain, **mask.numbers_to_json()}
    marked = {"approximate": True} if mask.approximate else {}
    return {**plain, "threshold": mask.threshold, "value": mask.value, **marked}


def _entry_from_json(data: Mapping[str, Any], root: Path) -> Entry:
    masks = tuple(_mask_from_json(row, root) for row in data["masks"])
    split, background = data["split"], data.get("background")
    return Entry(data["id"], root / data["image"], data["label"], data["group"], masks, split, background)


def _mask_from_json(row: Mapping[str, Any], root: Path) -> MaskSource:
    if "kind" in row:
        return DrawnMask.from_json(root / row["path"], row)
    approximate = row.get("approximate", False)
    return MaskFile(root / row["path"], row["label"], row["threshold"], _value(row["value"]), approximate)


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Patch:
    """A request to paint one defect into a piece of background.

    `background` is an HWC crop of a real good image at its own depth; `mask` (HW bool) is where the defect shall be,
    empty for a generator that takes none; `label` its class; `guide` the wished measures of the defect by name, in the
    units of `masks.guide`; `seed` decides everything random about it.
    """

    background: Image
    mask: Mask
    label: str
    seed: int
    guide: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mask.shape != self.background.shape[:2]:
            raise DataError(f"a patch's mask {self.mask.shape} and background {self.background.shape} differ in size")


@dataclass(frozen=True)
class Painting:
    """A painted patch: the crop with the defect (shape and depth of the background) and the defect's true mask.

    The mask may be empty: the painter then made nothing that can be seen. `source` is the id of the training image
    whose defect it was made from, where there is one, and `shown` that defect as it was laid on the crop, or else the
    training image that the painting resembles most: what a copy would look like.

    `whole`: every pixel is the painter's own; otherwise those away from the mask give way to the background's.
    `bare` is the defect-free picture that the painting is judged against, None the patch's own background.
    `approximate`: the mask was proposed. `notes` is what else its birth record shall say, plain JSON data.
    """

    image: Image
    mask: Mask
    source: str | None = None
    shown: Image | None = None
    whole: bool = False
    bare: Image | None = None
    approximate: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Birth:
    """Where one synthetic image comes from: enough to make it again, byte for byte, and to tell it from a real one.

    `background` says what has become of the photograph `background_id`: it was "kept", but for the defects; or every
    pixel was "made" by the generator, and the photograph gave no more than size, depth and channels. A score is None
    where the gate does not apply.
    """

    id: str
    generator: str
    weights_sha256: str
    background_id: str
    background_sha256: str
    seed: int
    defects: tuple[Mapping[str, Any], ...]
    scores: Mapping[str, float | None] = field(default_factory=dict)
    version: str = ""
    background: Literal["kept", "made"] = "kept"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**self.__dict__, "defects": [dict(each) for each in self.defects], "scores": dict(self.scores)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Birth:
        """Rebuild a birth record from `to_json` data."""
        return cls(**{**data, "defects": tuple(data["defects"])})


@dataclass(frozen=True)
class Findings:
    """What an inspector says of a batch: a defect score per image (N,), in [0, 1], and more where it can.

    `pixel_scores` are a map per image (H, W) in [0, 1], or None from an inspector that marks no pixels.
    `class_probabilities` (N, K) are those of `classes`, of which the first is good; None where classes are not told
    apart.
    """

    image_scores: NDArray[np.float32]
    pixel_scores: Sequence[NDArray[np.float32]] | None = None
    class_probabilities: NDArray[np.float32] | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count, told = len(self.image_scores), self.class_probabilities
        if self.pixel_scores is not None and len(self.pixel_scores) != count:
            raise DataError(f"{count} image scores but {len(self.pixel_scores)} score maps: give one for every image")
        if told is not None and (told.shape != (count, len(self.classes)) or self.classes[:1] != (GOOD,)):
            raise DataError(
                f"class probabilities {told.shape} of {self.classes}: expected ({count}, {len(self.classes)}), "
                f"{GOOD!r} first"
            )


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
