"""The training pictures at a network's size, for generators of whole images: what a picture is nearest to, and so where
its defect probably is, and what it would be a copy of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor

from flawsmith.core.errors import DataError, StageError, TrainingError
from flawsmith.core.files import write_bytes
from flawsmith.core.records import GOOD, Catalog, Image, Mask, Sample
from flawsmith.core.rng import stream
from flawsmith.data.loading import load_sample
from flawsmith.masks.proposing import Level, Picture, above, difference, fit_level, nearest
from flawsmith.training.feed import resized, to_image, to_tensor

KEY = "flawsmith"
TOP = np.float32(np.iinfo(np.uint16).max)


class Proposal(NamedTuple):
    """A proposed mask (HW bool, maybe empty), the number of the defect-free picture it was read off against, and how
    far such proposals overlap with the masks of real defects (None: not known).
    """

    mask: Mask
    good: int
    agreement: float | None


@dataclass(frozen=True)
class Hung:
    """One training picture at the network's size (HWC uint16): its id, its class, and its defects' mask where known."""

    id: str
    label: str
    image: Image
    mask: Mask | None = None

    @property
    def picture(self) -> Picture:
        """The pixels in [0, 1]."""
        return self.image.astype(np.float32) / TOP


@dataclass(frozen=True)
class Gallery:
    """Training pictures, and the difference from which on a pixel is proposed to be of a defect; None for a generator
    that makes masks itself.
    """

    goods: tuple[Hung, ...]
    defects: tuple[Hung, ...]
    level: Level | None = None

    @classmethod
    def measure(cls, goods: Sequence[Hung], defects: Sequence[Hung]) -> Gallery:
        """Measure the level on training pictures. Raises TrainingError without enough defect-free ones."""
        plain = [each.picture for each in goods]
        marked = [each for each in defects if each.mask is not None] if plain else []
        differing = [
            (difference(each.picture, plain[nearest(each.picture, plain)]), each.mask)
            for each in marked
            if each.mask is not None
        ]
        others = [[*plain[:number], *plain[number + 1 :]] for number in range(len(plain))] if len(plain) > 1 else []
        usual = [difference(one, rest[nearest(one, rest)]) for one, rest in zip(plain, others, strict=False)]
        try:
            return cls(tuple(goods), tuple(defects), fit_level(differing, usual))
        except DataError as error:
            raise TrainingError(str(error)) from None

    def proposal(self, image: Image) -> Proposal:
        """Return where a picture (HWC uint16, of the gallery's size) differs from the nearest defect-free one.

        Raises StageError where the level has not been measured.
        """
        if self.level is None:
            raise StageError(
                "a gallery proposes masks by a level, and this one has none: measure it on training pictures"
            )
        number = self.nearest_good(image)
        differing = difference(image.astype(np.float32) / TOP, self.goods[number].picture)
        return Proposal(above(differing, self.level.value), number, self.level.agreement)

    def nearest_good(self, image: Image) -> int:
        """Return the number of the defect-free picture that a picture (HWC uint16) resembles most."""
        return nearest(image.astype(np.float32) / TOP, [each.picture for each in self.goods])

    def alike(self, image: Image, label: str) -> Hung:
        """Return the training picture of a class that a picture resembles most."""
        mine = [each for each in self.defects if each.label == label]
        return mine[nearest(image.astype(np.float32) / TOP, [each.picture for each in mine])]

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole."""
        tensors: dict[str, NDArray[np.generic]] = {}
        rows = []
        for number, each in enumerate((*self.goods, *self.defects)):
            rows.append({"id": each.id, "label": each.label})
            tensors[f"image/{number:05d}"] = np.ascontiguousarray(each.image)
            if each.mask is not None:
                tensors[f"mask/{number:05d}"] = np.ascontiguousarray(each.mask)
        value, agreement = self.level or (None, None)
        head = {"rows": rows, "level": value, "agreement": agreement}
        write_bytes(path, save(tensors, {KEY: json.dumps(head, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """Read what `save` wrote. Raises StageError where there is no such file."""
        if not path.is_file():
            raise StageError(f"there is no {path}: fit the generator first")
        with safe_open(path, framework="numpy") as file:
            head, names = json.loads(file.metadata()[KEY]), set(file.keys())
            hung = []
            for number, row in enumerate(head["rows"]):
                mask = f"mask/{number:05d}"
                found = file.get_tensor(mask) if mask in names else None
                hung.append(Hung(row["id"], row["label"], file.get_tensor(f"image/{number:05d}"), found))
        goods = tuple(each for each in hung if each.label == GOOD)
        defects = tuple(each for each in hung if each.label != GOOD)
        return cls(goods, defects, None if head["level"] is None else Level(head["level"], head["agreement"]))


def gather(catalog: Catalog, size_hw: tuple[int, int], good_images: int, seed: int) -> tuple[list[Hung], list[Hung]]:
    """Return at most `good_images` defect-free pictures of a catalog and all with defects, in its channels, at a size.

    Raises TrainingError where there are none with defects.
    """
    goods = [entry for entry in catalog if entry.label == GOOD]
    chosen = stream(seed, "good images").permutation(len(goods))[:good_images]
    defects = [entry for entry in catalog if entry.label != GOOD]
    if not defects:
        raise TrainingError(
            f"{catalog.name}: no defect images in the training part; a generator of whole images learns from them: add "
            "some, or choose 'perlin' or 'cutpaste', which need none"
        )
    samples = [load_sample(entry) for entry in defects]
    channels = 3 if any(sample.image.shape[2] == 3 for sample in samples) else 1
    plain = [_hung(load_sample(goods[number]), size_hw, channels) for number in sorted(chosen)]
    return plain, [_hung(sample, size_hw, channels) for sample in samples]


def _hung(sample: Sample, size_hw: tuple[int, int], channels: int) -> Hung:
    small = resized(to_tensor([sample.image], channels), size_hw)
    mask = mask_at(sample.mask, size_hw) if sample.defects else None
    return Hung(sample.id, sample.label, to_image(small, np.uint16)[0], mask)


def as_tensor(hung: Sequence[Hung]) -> Tensor:
    """Return pictures as one NCHW tensor in [-1, 1]."""
    return to_tensor([each.image for each in hung], hung[0].image.shape[2])


def mask_at(mask: Mask, size_hw: tuple[int, int]) -> Mask:
    """Return a mask at another size: what is covered by a half, or as nearly as any pixel is, belongs to it."""
    share = resized(torch.from_numpy(mask).float()[None, None], size_hw)[0, 0].numpy()
    return np.asarray(share >= min(0.5, 0.8 * float(share.max()))) if share.max() > 0 else np.zeros(size_hw, bool)
