"""The mask bank: what the training masks look like per class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.files import read_json, write_json, written_whole
from flawsmith.core.records import Image, Mask, Sample
from flawsmith.core.registry import unknown
from flawsmith.core.standing_alone import standing_alone
from flawsmith.masks.morphology import clusters, tight


@dataclass(frozen=True)
class ClassMasks:
    """One class's training masks: K tight cutouts, their areas in px, their centres (y, x) on the object, 0 to 1, which
    borders of the picture they touch (top, left, bottom, right), and how often each is to be drawn.
    """

    cutouts: tuple[Mask, ...]
    areas_px: NDArray[np.float64]
    centres_yx: NDArray[np.float64]
    touching: NDArray[np.bool_]
    shares: NDArray[np.float64]

    def draw(self, rng: np.random.Generator) -> int:
        """Return the number of a cutout: groups and images evenly, the parts of one defect in proportion to area."""
        return int(rng.choice(len(self.cutouts), p=self.shares))


class _Part(NamedTuple):
    """One connected part of a training mask, and where it is from."""

    group: str
    sample: str
    cutout: Mask
    centre_yx: tuple[float, float]
    touching: tuple[bool, bool, bool, bool]


@dataclass(frozen=True)
class MaskBank:
    """The training masks of every class, and a user's own if given."""

    classes: Mapping[str, ClassMasks]
    user: tuple[Mask, ...] = ()
    left_out: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By class: groups that no shape is drawn from, and how many times the usual area their masks have."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes it knows."""
        return tuple(self.classes)

    def of(self, label: str) -> ClassMasks:
        """The masks of a class. Raises SettingsError for an unknown one."""
        if label not in self.classes:
            raise SettingsError(unknown("defect class", label, self.labels))
        return self.classes[label]

    @classmethod
    def measure(
        cls, samples: Iterable[Sample], foreground: Callable[[Image], Mask] | None = None,
        groups: Mapping[str, str] | None = None, *, alone: Literal["left_out", "drawn"] = "left_out",
    ) -> MaskBank:  # fmt: skip
        """Collect the masks of the samples. `foreground` finds the object; without it the whole picture is one.

        `groups` maps sample ids to groups: a part photographed ten times counts as much as one photographed once. With
        `alone` "left_out", no group counts whose masks are of another order of size than all others of its class.
        """
        found: dict[str, list[_Part]] = {}
        for sample in samples:
            on = foreground(sample.image) if foreground and sample.defects else np.ones(sample.size_hw, bool)
            group = (groups or {}).get(sample.id, sample.id)
            for defect in sample.defects:
                for part in clusters(defect.mask):
                    box, spot = tight(part), _relative_centre(part, on)
                    height, width = sample.size_hw
                    touching = box.top == 0, box.left == 0, box.bottom == height, box.right == width
                    row = _Part(group, sample.id, np.ascontiguousarray(box.cut(part)), spot, touching)
                    found.setdefault(defect.label, []).append(row)
        classes, left_out = {}, {}
        for label, parts in sorted(found.items()):
            if odd := _alone(parts) if alone == "left_out" else {}:
                left_out[label] = odd
            classes[label] = _class_masks([part for part in parts if part.group not in odd])
        return cls(classes, left_out=left_out)

    def with_user_masks(self, masks: Sequence[Mask]) -> MaskBank:
        """Return the bank with a user's own masks. Raises DataError if one is empty."""
        for mask in masks:
            if not mask.any():
                raise DataError("a mask of your own is empty: give masks with pixels")
        return replace(self, user=tuple(np.ascontiguousarray(tight(mask).cut(mask)) for mask in masks))

    def save(self, folder: Path) -> None:
        """Write the bank as safetensors and JSON."""
        tensors: dict[str, NDArray[Any]] = {
            f"user.{number}": mask.astype(np.uint8) for number, mask in enumerate(self.user)
        }
        index: dict[str, int] = {}
        for row, (label, masks) in enumerate(self.classes.items()):
            index[label] = len(masks.cutouts)
            tensors |= {f"{row}.areas": masks.areas_px, f"{row}.centres": masks.centres_yx}
            tensors |= {f"{row}.touching": masks.touching.astype(np.uint8), f"{row}.shares": masks.shares}
            tensors |= {f"{row}.{number}": mask.astype(np.uint8) for number, mask in enumerate(masks.cutouts)}
        with written_whole(folder / "masks.safetensors") as beside:
            save_file(tensors, str(beside))
        write_json(
            folder / "masks.json", {"classes": list(index.items()), "user": len(self.user), "left_out": self.left_out}
        )

    @classmethod
    def load(cls, folder: Path) -> MaskBank:
        """Read what `save` wrote."""
        tensors, index = load_file(str(folder / "masks.safetensors")), read_json(folder / "masks.json")
        classes = {
            label: ClassMasks(
                tuple(tensors[f"{row}.{number}"] > 0 for number in range(count)),
                tensors[f"{row}.areas"],
                tensors[f"{row}.centres"],
                tensors[f"{row}.touching"] > 0,
                tensors[f"{row}.shares"],
            )
            for row, (label, count) in enumerate(index["classes"])
        }
        return cls(classes, tuple(tensors[f"user.{number}"] > 0 for number in range(index["user"])), index["left_out"])


def _areas(parts: Sequence[_Part]) -> dict[tuple[str, str], float]:
    """Return the area of all parts together, by group and image."""
    found: dict[tuple[str, str], float] = {}
    for part in parts:
        found[part.group, part.sample] = found.get((part.group, part.sample), 0.0) + float(part.cutout.sum())
    return found


def _alone(parts: Sequence[_Part]) -> dict[str, float]:
    areas: dict[str, list[float]] = {}
    for (group, _), area in _areas(parts).items():
        areas.setdefault(group, []).append(area)
    return standing_alone(areas)


def _class_masks(parts: Sequence[_Part]) -> ClassMasks:
    areas, images = np.array([part.cutout.sum() for part in parts], float), _areas(parts)
    shots = Counter(group for group, _ in images)
    shares = np.array([
        area / images[part.group, part.sample] / shots[part.group] for part, area in zip(parts, areas, strict=True)
    ])  # fmt: skip
    return ClassMasks(
        tuple(part.cutout for part in parts),
        areas,
        np.array([part.centre_yx for part in parts], float),
        np.array([part.touching for part in parts], bool),
        shares / shares.sum(),
    )


def _relative_centre(part: Mask, foreground: Mask) -> tuple[float, float]:
    on = tight(foreground if foreground.any() else np.ones_like(foreground))
    box = tight(part)
    row, column = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    return (row - on.top) / max(on.size_hw[0], 1), (column - on.left) / max(on.size_hw[1], 1)
