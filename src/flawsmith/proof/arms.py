"""What the arms of a proof learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flawsmith.core.records import Catalog


@dataclass(frozen=True)
class Arm:
    """One arm: synthetic images or none, real defects or none, and inspector options of its own.

    Every arm learns from the same real good images. `groups` is how many groups of real defects per class it learns
    from, None for all of them; `spare` are real images it learns from beside the training part, as a ceiling does.
    `options` go before those of the proof's settings. `share` is the share of synthetic defects that was chosen for
    this arm, None the settings'. `further` are more sets of synthetic images, each made as the first was, by a
    generator fitted anew: the trainings of the arm take turns.
    """

    synthetic: Catalog | None = None
    real_defects: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: int | None = None
    spare: Catalog | None = None
    share: float | None = None
    further: tuple[Catalog, ...] = ()

    @property
    def sets(self) -> tuple[Catalog, ...]:
        """The sets of synthetic images, none where the arm has none."""
        return () if self.synthetic is None else (self.synthetic, *self.further)
