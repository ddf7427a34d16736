"""The mask bank: what the training masks look like per class, and new shapes drawn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import load_file, save_file
from scipy import ndimage

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.files import read_json, write_json, written_whole
from flawsmith.core.records import Image, Mask, Sample
from flawsmith.core.registry import unknown
from flawsmith.core.settings import Settings
from flawsmith.masks.morphology import clusters, extent_px, tight
from flawsmith.masks.shapes import SHAPES

WARPED, USER = "warped", "user"
SUPERSAMPLING = 3
"""Masks are warped at this many times their resolution, so that lines of two pixels keep their width."""

SLIGHT_TURN = 0.1
"""Spread, in radians, of the turn of masks that keep their direction."""
LEAST_COVER = 0.15
"""A pixel of which a warped mask covers less is never part of it."""


class MaskSettings(Settings):
    """Which shapes defects get, and where they go."""

    sources: dict[str, float] = {WARPED: 1.0}
    """Shares of the sources: "warped" (training masks, changed), "user", or names of procedural shapes."""
    rotate: Literal["any", "right_angles", "mirror", "none"] = "mirror"
    """How training masks may be turned, where their pose is free: "mirror" keeps the direction of grain and tool marks
    (mirrored both ways and a few degrees off), "any" suits surfaces without a direction. Set it together with
    `local.symmetry`: a defect that no example shows that way round is painted poorly."""
    pose: Literal["free", "kept", "mirrored", "around"] = "free"
    """Whether training masks leave their place: "free" ones do, "kept" ones stay where they were on the object (parts
    that always lie alike), "mirrored" ones also go to the mirrored places (parts whose halves are alike), and "around"
    turns mask and place together about the object's centre (round parts)."""
    elastic_px: float = Field(1.0, ge=0)
    """Displacement of the elastic warp, in px for a mask of 32 px, growing with its extent."""
    area_px: tuple[float, float] | None = None
    """Smallest and largest area wished for; otherwise the class's measured areas are followed."""
    size_jitter: float = Field(0.25, ge=0)
    """Spread (of the natural logarithm) of a drawn area around a measured one."""
    anywhere: float = Field(0.2, ge=0, le=1)
    """Share of defects placed anywhere on the object rather than where the class occurs, where their pose is free."""


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
        groups: Mapping[str, str] | None = None,
    ) -> MaskBank:  # fmt: skip
        """Collect the masks of the samples. `foreground` finds the object; without it the whole picture is one.

        `groups` maps sample ids to groups: a part photographed ten times counts as much as one photographed once.
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
        return cls({label: _class_masks(parts) for label, parts in sorted(found.items())})

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
        write_json(folder / "masks.json", {"classes": list(index.items()), "user": len(self.user)})

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
        return cls(classes, tuple(tensors[f"user.{number}"] > 0 for number in range(index["user"])))


def draw_shape(bank: MaskBank, label: str, rng: np.random.Generator, settings: MaskSettings) -> Mask:
    """Return a new tight mask for a class. Raises SettingsError for an unknown class or source."""
    masks, source = bank.of(label), mask_source(bank, rng, settings)
    number = masks.draw(rng)
    wanted = wanted_area(masks, number, rng, settings)
    if source == WARPED:
        return warp(masks.cutouts[number], wanted, rng, settings, any_turn(rng, settings))
    if source == USER:
        own = bank.user[int(rng.integers(len(bank.user)))]
        return own if settings.area_px is None else warp(own, wanted, rng, settings, any_turn(rng, settings))
    length = extent_px(masks.cutouts[number]) * np.sqrt(wanted / masks.areas_px[number])
    return SHAPES[source](rng, wanted, float(length))


def mask_source(bank: MaskBank, rng: np.random.Generator, settings: MaskSettings) -> str:
    """Return the source that the next mask is from. Raises SettingsError for one unknown, or "user" without masks."""
    known = [WARPED, USER, *SHAPES]
    for name in settings.sources:
        if name not in known:
            raise SettingsError(unknown("mask source", name, known))
    if settings.sources.get(USER) and not bank.user:
        raise SettingsError(
            "the mask source 'user' needs masks of your own: name their folder (kit.own_masks), or take it out of "
            "kit.masks.sources"
        )
    names, shares = list(settings.sources), np.array(list(settings.sources.values()), float)
    if not names or (shares < 0).any() or shares.sum() <= 0:
        raise SettingsError(f"masks.sources needs at least one positive share, got {settings.sources}")
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def wanted_area(masks: ClassMasks, number: int, rng: np.random.Generator, settings: MaskSettings) -> float:
    """Return an area (px) near that of a class's mask, or within the limits wished for."""
    if settings.area_px is not None:
        low, high = settings.area_px
        if not 0 < low <= high:
            raise SettingsError(f"masks.area_px is (smallest, largest) in px, got {settings.area_px}")
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    jitter = np.exp(settings.size_jitter * rng.normal())
    return float(np.clip(masks.areas_px[number] * jitter, 0.7 * masks.areas_px.min(), 1.4 * masks.areas_px.max()))


class Turn(NamedTuple):
    """A rotation by `angle` (radians) after mirroring left and right (`flip` -1; 1 leaves as it is)."""

    angle: float
    flip: float

    def of(self, offset_yx: tuple[float, float]) -> tuple[float, float]:
        """Return where a point (y, x) relative to the centre goes; `warp` moves pixels the same way."""
        y, x = offset_yx[0], offset_yx[1] * self.flip
        return y * np.cos(self.angle) + x * np.sin(self.angle), x * np.cos(self.angle) - y * np.sin(self.angle)


def any_turn(rng: np.random.Generator, settings: MaskSettings) -> Turn:
    """Return a turn as free as the settings allow."""
    angle = {
        "any": rng.uniform(0, 2 * np.pi),
        "right_angles": np.pi / 2 * rng.integers(4),
        "mirror": np.pi * rng.integers(2) + SLIGHT_TURN * rng.normal(),
        "none": 0.0,
    }[settings.rotate]
    return Turn(float(angle), -1.0 if settings.rotate != "none" and rng.random() < 0.5 else 1.0)


def warp(cutout: Mask, area_px: float, rng: np.random.Generator, settings: MaskSettings, turn: Turn) -> Mask:
    """Return a cutout turned, scaled and elastically bent, as a tight mask; never empty."""
    scale = float(np.sqrt(area_px / cutout.sum()))
    angle, flip = turn
    half = np.hypot(*cutout.shape) / 2 * scale + 2 + 2 * settings.elastic_px * max(1.0, scale)
    side = int(np.ceil(2 * half)) * SUPERSAMPLING
    rows, columns = (np.indices((side, side)) - (side - 1) / 2) / SUPERSAMPLING
    bend = settings.elastic_px * max(extent_px(cutout) * scale, 8) / 32
    rows, columns = rows + bend * _smooth(rng, side), columns + bend * _smooth(rng, side)
    turned = np.stack([rows * np.cos(angle) - columns * np.sin(angle), rows * np.sin(angle) + columns * np.cos(angle)])
    turned = turned / scale * np.array([1.0, flip])[:, None, None]
    middle = (np.array(cutout.shape)[:, None, None] - 1) / 2
    fine = ndimage.map_coordinates(cutout.astype(np.float32), turned + middle, order=1, mode="grid-constant")
    soft = fine.reshape(side // SUPERSAMPLING, SUPERSAMPLING, side // SUPERSAMPLING, SUPERSAMPLING).mean((1, 3))
    return _of_area(soft, area_px, _parts(cutout))


def _of_area(soft: NDArray[np.float32], area_px: float, parts: int) -> Mask:
    """Return the tight mask of the most covered pixels, as many as asked for; more where thin lines would break."""
    count = int(np.clip(round(area_px), 1, soft.size))
    level = float(np.partition(soft.ravel(), soft.size - count)[soft.size - count])
    level = float(np.clip(level, LEAST_COVER, max(0.6, 0.75 * float(soft.max()))))
    mask = usual = soft >= min(level, float(soft.max()))
    while level > LEAST_COVER and _parts(mask) > parts:
        level = max(0.85 * level, LEAST_COVER)
        mask = soft >= level
    whole = mask if _parts(mask) <= parts else usual
    return np.ascontiguousarray(tight(whole).cut(whole))


def _parts(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


def _smooth(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Return a smooth field (side, side) of about unit spread; finer bends would make straight scratches wavy."""
    coarse = rng.normal(size=(3, 3))
    return np.asarray(ndimage.zoom(coarse, side / 3, order=3, grid_mode=True, mode="nearest")[:side, :side])


def _class_masks(parts: Sequence[_Part]) -> ClassMasks:
    areas = np.array([part.cutout.sum() for part in parts], float)
    images: dict[tuple[str, str], float] = {}
    for part, area in zip(parts, areas, strict=True):
        images[part.group, part.sample] = images.get((part.group, part.sample), 0.0) + float(area)
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
