"""What classical generators remember of the training part: cut-out defects and pieces of defect-free texture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from flawsmith.core.errors import StageError
from flawsmith.core.files import write_bytes
from flawsmith.core.geometry import Window, window_around
from flawsmith.core.records import Image, Mask, Sample
from flawsmith.masks.morphology import clusters, tight

BANK = "bank.safetensors"
KEY = "flawsmith"
"""One metadata entry only: safetensors writes several in no fixed order, and equal banks shall have equal bytes."""

LEAST_SHARE = 0.02
"""Pieces smaller than this share of the largest piece are specks, not defects to paste."""
CONTEXT_PX = 12
"""A cut-out shows at least this much around its defect."""


@dataclass(frozen=True)
class Cutout:
    """One piece of a training defect: its class, pixels with surroundings (HWC), and mask (HW)."""

    label: str
    source: str
    image: Image
    mask: Mask


@dataclass(frozen=True)
class Bank:
    """Cut-outs and textures, and the settings of the family that they were gathered for."""

    family: str
    settings: dict[str, Any]
    cutouts: tuple[Cutout, ...] = ()
    textures: tuple[Image, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that have cut-outs, in alphabetical order."""
        return tuple(sorted({cutout.label for cutout in self.cutouts}))

    def save(self, path: Path) -> None:
        """Write one safetensors file with JSON metadata, whole."""
        tensors: dict[str, Any] = {f"texture/{n:05d}": np.ascontiguousarray(t) for n, t in enumerate(self.textures)}
        for number, cutout in enumerate(self.cutouts):
            tensors[f"image/{number:05d}"] = np.ascontiguousarray(cutout.image)
            tensors[f"mask/{number:05d}"] = np.ascontiguousarray(cutout.mask)
        rows = [{"label": cutout.label, "source": cutout.source} for cutout in self.cutouts]
        head = {"family": self.family, "settings": self.settings, "cutouts": rows, "textures": len(self.textures)}
        write_bytes(path, save(tensors, {KEY: json.dumps(head, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path, family: str) -> Bank:
        """Read what `save` wrote. Raises StageError if it is absent or belongs to another family."""
        if not path.is_file():
            raise StageError(f"{path.parent} holds no fitted {family!r} generator (no {path.name}): fit it first")
        with safe_open(path, framework="numpy") as file:
            head = json.loads(file.metadata()[KEY])
            cutouts = tuple(
                Cutout(row["label"], row["source"], file.get_tensor(f"image/{n:05d}"), file.get_tensor(f"mask/{n:05d}"))
                for n, row in enumerate(head["cutouts"])
            )
            textures = tuple(file.get_tensor(f"texture/{n:05d}") for n in range(head["textures"]))
        if head["family"] != family:
            raise StageError(f"{path} was fitted as {head['family']!r}, expected {family!r}: load it with that family")
        return cls(family, head["settings"], cutouts, textures)


def cut_defects(sample: Sample) -> list[Cutout]:
    """Return every defect of a sample in pieces that hang together, each with surroundings."""
    return [
        Cutout(defect.label, sample.id, window.cut(sample.image).copy(), piece)
        for defect in sample.defects
        for window, piece in _pieces(defect.mask)
    ]


def _pieces(mask: Mask) -> Iterator[tuple[Window, Mask]]:
    """Yield a window with context and the mask in it, for each group of nearby components that is not a speck."""
    groups = clusters(mask)
    largest = max(int(group.sum()) for group in groups)
    for group in groups:
        if group.sum() < LEAST_SHARE * largest:
            continue
        box = tight(group)
        context = max(CONTEXT_PX, max(box.size_hw) // 4)
        center = ((box.top + box.bottom) / 2, (box.left + box.right) / 2)
        size_hw = (box.size_hw[0] + 2 * context, box.size_hw[1] + 2 * context)
        window = window_around(center, size_hw, (mask.shape[0], mask.shape[1]))
        yield window, window.cut(group).copy()


def cut_texture(sample: Sample, side: int, rng: np.random.Generator) -> Image:
    """Return a square piece of `side` pixels (less where the image is smaller) from a random place."""
    center = (float(rng.uniform(0, sample.size_hw[0])), float(rng.uniform(0, sample.size_hw[1])))
    return window_around(center, (side, side), sample.size_hw).cut(sample.image).copy()


def of_class(cutouts: Sequence[Cutout], label: str) -> list[Cutout]:
    """Return the cut-outs of one class."""
    return [cutout for cutout in cutouts if cutout.label == label]
