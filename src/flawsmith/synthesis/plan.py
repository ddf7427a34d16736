"""What to make: how many images of which class, and for one image which defects, where, on which background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.registry import unknown
from flawsmith.core.rng import derive_seed, stream
from flawsmith.core.settings import Settings


class PlanSettings(Settings):
    """How many images of which class, and what is in them."""

    per_class: int | dict[str, int] = 200
    """Accepted images per defect class: one number for all, or a number per class."""
    good_per_defect: float | None = Field(None, gt=0)
    """Instead of `per_class`: the wished ratio of good images to defect images, real ones counted in."""
    more_defects: float = Field(0.15, ge=0, lt=1)
    """Chance that an image gets one more defect, and again one more, of any class."""
    most_defects: int = Field(4, ge=1)
    wishes: dict[str, float] = {}
    """Guide measures set by the user for every defect (`contrast`, `roughness`), in the units of the guide vector."""
    guided: bool = True
    """Draw the other guide measures from the training defects; off leaves them to the generator."""
    seed: int = 0


@dataclass(frozen=True)
class Order:
    """One image to make: the slot it fills, its main class, and the attempt at it. The seed decides all the rest."""

    label: str
    slot: int
    attempt: int
    seed: int

    @property
    def id(self) -> str:
        """Unique name of the slot."""
        return f"{self.label}/{self.slot:05d}"

    def next(self, run_seed: int) -> Order:
        """Return the next attempt at the same slot."""
        return order(self.label, self.slot, self.attempt + 1, run_seed)


def order(label: str, slot: int, attempt: int, run_seed: int) -> Order:
    """Return an order with its own seed."""
    return Order(label, slot, attempt, derive_seed(run_seed, "image", label, slot, attempt))


def quotas(train: Catalog, settings: PlanSettings) -> dict[str, int]:
    """Return the number of images to make per class. Raises SettingsError for a class the data do not have."""
    labels = train.defect_labels
    if settings.good_per_defect is not None:
        good = sum(entry.label == GOOD for entry in train)
        wanted = max(0, round(good / settings.good_per_defect) - (len(train) - good))
        return {label: wanted // len(labels) + (number < wanted % len(labels)) for number, label in enumerate(labels)}
    if isinstance(settings.per_class, int):
        return dict.fromkeys(labels, settings.per_class)
    for label in settings.per_class:
        if label not in labels:
            raise SettingsError(unknown("defect class", label, labels))
    return dict(settings.per_class)


def orders(quota: Mapping[str, int], run_seed: int) -> list[Order]:
    """Return the first attempt at every slot, classes in turn."""
    slots = max(quota.values(), default=0)
    return [order(label, slot, 0, run_seed) for slot in range(slots) for label in quota if slot < quota[label]]


def drawn_labels(wanted: Order, labels: Sequence[str], settings: PlanSettings) -> list[str]:
    """Return the classes of the defects in one image: its own, and by chance more."""
    rng = stream(wanted.seed, "labels")
    chosen = [wanted.label]
    while len(chosen) < settings.most_defects and rng.random() < settings.more_defects:
        chosen.append(labels[int(rng.integers(len(labels)))])
    return chosen
