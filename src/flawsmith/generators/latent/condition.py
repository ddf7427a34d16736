"""Captions as tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flawsmith.generators.latent.captions import XY, Plane, Told

HARMONICS = 4
FEATURES = 4 * HARMONICS


@dataclass(frozen=True)
class Condition:
    """What N pictures are told: `name` (N,), the number of the name, `place` (N, FEATURES), and `placed` (N, 1), 1
    where a place is known. The number after the last name means any name.
    """

    name: Tensor
    place: Tensor
    placed: Tensor

    @classmethod
    def of(cls, told: Sequence[Told], names: Sequence[str], plane: Plane | None) -> Condition:
        """Return captions as tensors; without a plane no place counts."""
        numbers = {name: number for number, name in enumerate(names)}
        places = [None if plane is None else each.place for each in told]
        return cls(
            torch.tensor([numbers[each.name] for each in told]),
            torch.stack([torch.zeros(FEATURES) if each is None else place_features(each, plane) for each in places]),
            torch.tensor([[float(each is not None)] for each in places]),
        )

    @classmethod
    def of_batch(cls, batch: Mapping[str, Tensor]) -> Condition:
        """Return the condition that `as_batch` was made of."""
        return cls(batch["name"], batch["place"], batch["placed"])

    @property
    def as_batch(self) -> dict[str, Tensor]:
        """The tensors by name."""
        return dict(self.__dict__)

    def __getitem__(self, rows: Tensor) -> Condition:
        return Condition(self.name[rows], self.place[rows], self.placed[rows])

    def to(self, device: torch.device) -> Condition:
        """Return the condition on a device."""
        return Condition(self.name.to(device), self.place.to(device), self.placed.to(device))

    def without(self, forgotten_N: Tensor, names: int) -> Condition:
        """Return the condition with neither name nor place where `forgotten` is True; `names` is how many there are."""
        kept = (~forgotten_N).to(self.place.dtype)[:, None]
        return Condition(self.name.masked_fill(forgotten_N, names), self.place * kept, self.placed * kept)


def place_features(place: XY, plane: Plane | None) -> Tensor:
    """Return cosines and sines (FEATURES,) of a place's phase and its multiples, along x and y.

    They are the same a whole period further: the seam of a pattern is no seam here.
    """
    period = (1.0, 1.0) if plane is None else plane.period_xy
    turns = [at / length for at, length in zip(place, period, strict=True)]
    phases = torch.tensor(turns, dtype=torch.float32) * (2 * math.pi)
    angles = (phases[:, None] * torch.arange(1, HARMONICS + 1)).flatten()
    return torch.cat([angles.cos(), angles.sin()])
