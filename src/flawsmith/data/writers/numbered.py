"""The instances of one image as one picture of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.records import Box, Defect


@dataclass(frozen=True)
class Numbered:
    """Instances counted from 1 with their labels and boxes; `owner` (HW uint16) says whose a pixel is, 0 nobody's."""

    owner: NDArray[np.uint16]
    labels: tuple[str, ...]
    boxes_xyxy: tuple[Box, ...]

    def by_class(self, numbers: Mapping[str, int]) -> NDArray[np.uint16]:
        """Return the number of each pixel's class (HW), 0 where there is no defect."""
        table = np.array([0, *(numbers[label] for label in self.labels)], np.uint16)
        return np.asarray(table[self.owner])


def numbered(defects: Iterable[Defect], size_hw: tuple[int, int]) -> Numbered:
    """Return the instances of an image of a size (H, W). A pixel of several belongs to the smallest of them.

    >>> wide, dot = np.ones((1, 3), bool), np.eye(1, 3, 1, dtype=bool)
    >>> numbered([Defect("stain", wide), Defect("pore", dot)], (1, 3)).owner.tolist()
    [[1, 2, 1]]
    """
    owner = np.zeros(size_hw, np.uint16)
    areas, labels, boxes = [np.inf], [], []
    for number, defect in enumerate(defects, start=1):
        areas.append(float(defect.mask.sum()))
        before = owner[defect.mask]
        owner[defect.mask] = np.where(np.array(areas)[before] > areas[-1], number, before)
        labels.append(defect.label)
        boxes.append(defect.box_xyxy)
    return Numbered(owner, tuple(labels), tuple(boxes))


def compact(numbers: NDArray[np.uint16]) -> NDArray[Any]:
    """Return numbers as uint8 where all are below 255, which many tools take for "ignore"; else as they are."""
    return numbers.astype(np.uint8) if numbers.max(initial=0) < 255 else numbers
