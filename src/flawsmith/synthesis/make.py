"""Make images from orders: place shapes on a background, paint, composite, judge. The order's seed decides it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flawsmith import __version__
from flawsmith.core.errors import DataError
from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Generator
from flawsmith.core.records import Birth, Catalog, Defect, Entry, Image, Mask, Painting, Patch
from flawsmith.core.rng import derive_seed, stream
from flawsmith.data.loading import image_sha256, load_sample
from flawsmith.filtering.context import Verdict, judge
from flawsmith.filtering.gates import Candidate
from flawsmith.masks.morphology import dilate
from flawsmith.masks.placement import PlacedMask, draw_placed, find_foreground
from flawsmith.synthesis.composite import composite
from flawsmith.synthesis.kit import Kit, KitSettings
from flawsmith.synthesis.own import read_region
from flawsmith.synthesis.plan import Order, PlanSettings, drawn_labels

SHAPES_TRIED = 20
"""Shapes drawn before a background is given up as too small for a class."""
CLEARANCE_PX = 6
"""Instances in one image keep at least this far apart."""


@dataclass
class Draft:
    """One image in the making."""

    order: Order
    background: Entry
    image: Image
    foreground: Mask
    labels: list[str]
    defects: list[Defect] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    trial: Candidate | None = None
    """The defect painted last, cut out: what a log of rejected samples shows."""


@dataclass(frozen=True)
class Made:
    """A finished image: pixels, defect instances, birth record, and whether every gate let it pass."""

    order: Order
    background: Entry
    image: Image
    defects: tuple[Defect, ...]
    birth: Birth
    accepted: bool
    reasons: tuple[str, ...]
    trial: Candidate | None


@dataclass(frozen=True)
class Workshop:
    """What every image is made with."""

    generator: Generator
    name: str
    kit: Kit
    kit_settings: KitSettings
    plan: PlanSettings
    backgrounds: Catalog
    judged: bool = True
    """Off for controls: then everything visible is accepted."""

    def make(self, orders: Sequence[Order]) -> list[Made]:
        """Make one image per order. Which orders are made together changes no pixel of any of them."""
        drafts = [self._begin(each) for each in orders]
        for number in range(max((len(draft.labels) for draft in drafts), default=0)):
            self._add_defect([draft for draft in drafts if number < len(draft.labels)], number)
        return [self._finish(draft) for draft in drafts]

    def _begin(self, wanted: Order) -> Draft:
        rng = stream(wanted.seed, "background")
        entry = self.backgrounds.entries[int(rng.integers(len(self.backgrounds)))]
        image = load_sample(entry).image
        found = self._allowed(image)
        labels = drawn_labels(wanted, self.kit.bank.labels, self.plan)
        return Draft(wanted, entry, image, found, labels)

    def _allowed(self, image: Image) -> Mask:
        """Return where defects may lie: in the region given, or on the object, or anywhere."""
        if self.kit_settings.region is not None:
            return read_region(self.kit_settings.region, (image.shape[0], image.shape[1]))
        return find_foreground(image) if self.kit_settings.find_object else np.ones(image.shape[:2], bool)

    def _add_defect(self, drafts: Sequence[Draft], number: int) -> None:
        placed = [(draft, self._patch(draft, number)) for draft in drafts]
        ready = [(draft, *spot) for draft, spot in placed if spot is not None]
        paintings = self.generator.paint([patch for _, _, patch in ready])
        for (draft, window, patch), painting in zip(ready, paintings, strict=True):
            self._judge(draft, window, patch, painting)

    def _patch(self, draft: Draft, number: int) -> tuple[Window, Patch] | None:
        label, rng = draft.labels[number], stream(draft.order.seed, "defect", number)
        free = draft.foreground
        for defect in draft.defects:
            free = free & ~dilate(defect.mask, CLEARANCE_PX)
        try:
            spot = self._spot(free, label, rng)
        except DataError:
            if number == 0:
                raise
            return None
        height, width = spot.mask.shape
        box = (float(spot.left), float(spot.top), float(spot.left + width), float(spot.top + height))
        window = self.generator.window(box, draft.image.shape[:2])
        mask = np.zeros(window.size_hw, bool)
        top, left = spot.top - window.top, spot.left - window.left
        mask[top : top + height, left : left + width] = spot.mask
        guide = self.kit.guides.draw(label, rng, self.plan.wishes) if self.plan.guided else {}
        seed = derive_seed(draft.order.seed, "paint", number)
        return window, Patch(window.cut(draft.image), mask, label, seed, guide)

    def _spot(self, free: Mask, label: str, rng: np.random.Generator) -> PlacedMask:
        """Return a shape with a place for it; one that fits nowhere gives way to the next, up to a DataError."""
        settings = self.kit_settings.masks
        for _ in range(SHAPES_TRIED - 1):
            with suppress(DataError):
                return draw_placed(self.kit.bank, label, free, rng, settings)
        return draw_placed(self.kit.bank, label, free, rng, settings)

    def _judge(self, draft: Draft, window: Window, patch: Patch, painting: Painting) -> None:
        image = composite(draft.image, window, painting, self.kit_settings.composite)
        foreground = window.cut(draft.foreground)
        candidate = Candidate(patch.background, window.cut(image), patch.mask, painting.mask, patch.label, foreground)
        verdict = judge(candidate, self.kit.gates)
        draft.trial = candidate
        draft.verdicts.append(verdict)
        draft.image = image
        if painting.mask.any():
            mask = np.zeros(image.shape[:2], bool)
            window.cut(mask)[:] = painting.mask
            draft.defects.append(Defect(patch.label, mask))
        guide = {name: round(float(value), 6) for name, value in patch.guide.items()}
        draft.rows.append({"label": patch.label, "window": list(window), "seed": patch.seed, "guide": guide})

    def _finish(self, draft: Draft) -> Made:
        scores = _worst(draft.verdicts)
        birth = Birth(
            id=draft.order.id,
            generator=self.name,
            weights_sha256=self.generator.weights_sha256,
            background_id=draft.background.id,
            background_sha256=image_sha256(draft.background),
            seed=draft.order.seed,
            defects=tuple(draft.rows),
            scores=scores,
            version=__version__,
        )
        accepted = bool(draft.defects) and (not self.judged or all(verdict.accepted for verdict in draft.verdicts))
        reasons = tuple(dict.fromkeys(reason for verdict in draft.verdicts for reason in verdict.reasons))
        return Made(
            draft.order, draft.background, draft.image, tuple(draft.defects), birth, accepted, reasons, draft.trial
        )


def _worst(verdicts: Sequence[Verdict]) -> Mapping[str, float]:
    names = [name for verdict in verdicts for name in verdict.scores]
    return {name: round(min(verdict.scores[name] for verdict in verdicts), 6) for name in dict.fromkeys(names)}
