"""Fit, open and register the classical families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from flawsmith.core.errors import SettingsError, TrainingError
from flawsmith.core.files import sha256_file
from flawsmith.core.geometry import Window, window_around
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Box, Catalog, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.core.rng import stream
from flawsmith.core.settings import Settings
from flawsmith.data.loading import load_sample
from flawsmith.generators.classical.bank import BANK, Bank, Cutout, cut_defects, cut_texture
from flawsmith.generators.classical.paste import copy_paste, copy_paste_poisson, cutmix
from flawsmith.generators.classical.selfmade import cutpaste, perlin_texture
from flawsmith.generators.classical.settings import (
    CutMixSettings,
    CutPasteSettings,
    PasteSettings,
    PerlinSettings,
    PoissonSettings,
)
from flawsmith.generators.registry import GENERATORS

LEAST_SIDE = 32
"""A crop is at least this high and wide."""
MARGIN_PX = 16
"""Background around the mask, for donors that are larger than the mask and pieces that come from elsewhere."""

Options = TypeVar("Options", bound=Settings)


@dataclass(frozen=True)
class ClassicalGenerator(Generic[Options]):
    """A bank, and the function that paints one patch from it."""

    bank: Bank
    settings: Options
    painter: Callable[[Patch, Bank, Options, np.random.Generator], Painting]
    needs_class: bool
    weights_sha256: str
    takes_mask: bool = True

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return a square crop of twice the box's longer side and a margin, kept inside the image."""
        left, top, right, bottom = box_xyxy
        side = max(LEAST_SIDE, int(np.ceil(1.5 * max(bottom - top, right - left))) + 2 * MARGIN_PX)
        return window_around(((top + bottom) / 2, (left + right) / 2), (side, side), size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint every patch; raises SettingsError for a class without a training defect, where one is needed."""
        for patch in patches:
            if self.needs_class and patch.label not in self.bank.labels:
                raise SettingsError(unknown("defect class", patch.label, self.bank.labels))
        name = self.bank.family
        return [self.painter(each, self.bank, self.settings, stream(each.seed, name)) for each in patches]


@dataclass(frozen=True)
class ClassicalFamily(Generic[Options]):
    """A way to paint without learning: what it keeps of the training part, and how it paints from that.

    `textures` is the number of pieces of defect-free images wanted, and their side, by the settings.
    """

    name: str
    settings: type[Options]
    painter: Callable[[Patch, Bank, Options, np.random.Generator], Painting]
    needs_defects: bool = False
    textures: Callable[[Options], tuple[int, int]] | None = None

    def fit(self, catalog: Catalog, settings: Any, folder: Path, *, seed: int, progress: Progress = silent) -> None:
        """Gather the bank and write it whole. Raises TrainingError if there is nothing to gather."""
        options = self.settings.model_validate(settings.model_dump())
        bank = Bank(
            family=self.name,
            settings=options.model_dump(mode="json"),
            cutouts=self._cutouts(catalog, progress) if self.needs_defects else (),
            textures=self._textures(catalog, options, seed) if self.textures else (),
        )
        bank.save(folder / BANK)

    def load(self, folder: Path, sampling: None = None) -> ClassicalGenerator[Options]:
        """Open what `fit` wrote; there is one way to draw from it."""
        bank = Bank.load(folder / BANK, self.name)
        settings = self.settings.model_validate(bank.settings)
        return ClassicalGenerator(bank, settings, self.painter, self.needs_defects, sha256_file(folder / BANK))

    def _cutouts(self, catalog: Catalog, progress: Progress) -> tuple[Cutout, ...]:
        entries = [entry for entry in catalog if entry.label != GOOD and entry.masks]
        cutouts: list[Cutout] = []
        for number, entry in enumerate(entries, start=1):
            cutouts += cut_defects(load_sample(entry))
            progress("fit", number, len(entries), self.name)
        if not cutouts:
            raise TrainingError(
                f"{catalog.name}: no defect masks in the training part, but {self.name!r} pastes training defects; "
                "add masks, or choose 'perlin' or 'cutpaste', which need none"
            )
        return tuple(cutouts)

    def _textures(self, catalog: Catalog, options: Options, seed: int) -> tuple[Any, ...]:
        assert self.textures is not None
        count, side = self.textures(options)
        good = [entry for entry in catalog if entry.label == GOOD]
        if not good:
            raise TrainingError(
                f"{catalog.name}: no defect-free images in the training part, but {self.name!r} takes its textures "
                "from them; add some, or choose another generator"
            )
        rng = stream(seed, self.name, "textures")
        chosen = np.concatenate([rng.permutation(len(good)) for _ in range(-(-count // len(good)))])[:count]
        return tuple(cut_texture(load_sample(good[number]), side, rng) for number in chosen)


COPY_PASTE = ClassicalFamily("copy_paste", PasteSettings, copy_paste, needs_defects=True)
COPY_PASTE_POISSON = ClassicalFamily("copy_paste_poisson", PoissonSettings, copy_paste_poisson, needs_defects=True)
CUTMIX = ClassicalFamily("cutmix", CutMixSettings, cutmix, needs_defects=True)
CUTPASTE = ClassicalFamily("cutpaste", CutPasteSettings, cutpaste)
PERLIN = ClassicalFamily(
    "perlin", PerlinSettings, perlin_texture, textures=lambda each: (each.textures, each.texture_side)
)

for _family in (COPY_PASTE, COPY_PASTE_POISSON, CUTMIX, CUTPASTE, PERLIN):
    GENERATORS.register(_family.name)(_family)  # type: ignore[arg-type]
