"""Make images from orders: place shapes on a background, paint, composite, judge. The order's seed decides it all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Site:
    """Where one defect is painted: the window, and what is cut out there (copies, so that the image can go)."""

    window: Window
    patch: Patch
    foreground: Mask


@dataclass
class Draft:
    """One image in the making. It holds crops only: a batch of drafts costs the same on a camera of any resolution."""

    order: Order
    background: Entry
    labels: list[str]
    laid: list[tuple[Site, Painting]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    trial: Candidate | None = None
    """The defect painted last, cut out: what a log of rejected samples shows."""

    @property
    def is_whole(self) -> bool:
        """Whether a painting has taken the place of the whole background."""
        return any(painting.whole for _, painting in self.laid)


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

    def make(self, orders: Sequence[Order]) -> Iterator[Made]:
        """Make one image per order, in order. Which orders are made together changes no pixel of any of them.

        They are painted together, and put together one by one as they are asked for.
        """
        drafts = [self._begin(each) for each in orders]
        for number in range(max((len(draft.labels) for draft in drafts), default=0)):
            self._add_defect([draft for draft in drafts if number < len(draft.labels)], number)
        for draft in drafts:
            yield self._finish(draft)

    def _begin(self, wanted: Order) -> Draft:
        rng = stream(wanted.seed, "background")
        entry = self.backgrounds.entries[int(rng.integers(len(self.backgrounds)))]
        labels = drawn_labels(wanted, self.kit.bank.labels, self.plan)
        return Draft(wanted, entry, labels if self.generator.takes_mask else labels[:1])

    def _allowed(self, image: Image) -> Mask:
        """Return where defects may lie: in the region given, or on the object, or anywhere."""
        if self.kit_settings.region is not None:
            return read_region(self.kit_settings.region, (image.shape[0], image.shape[1]))
        return find_foreground(image) if self.kit_settings.find_object else np.ones(image.shape[:2], bool)

    def _add_defect(self, drafts: Sequence[Draft], number: int) -> None:
        placed = [(draft, self._site(draft, number)) for draft in drafts]
        ready = [(draft, site) for draft, site in placed if site is not None]
        paintings = self.generator.paint([site.patch for _, site in ready])
        for (draft, site), painting in zip(ready, paintings, strict=True):
            draft.laid.append((site, painting))
            draft.trial = self._candidate(site, painting)
            draft.verdicts.append(judge(draft.trial, self.kit.gates))

    def _site(self, draft: Draft, number: int) -> Site | None:
        """Return where and what to paint next, or None where no further defect finds a place."""
        background = load_sample(draft.background).image
        if not self.generator.takes_mask:
            return self._anywhere(draft, number, background)
        label, rng = draft.labels[number], stream(draft.order.seed, "defect", number)
        foreground = self._allowed(background)
        image, defects = self._painted(draft, background)
        taken = [dilate(defect.mask, CLEARANCE_PX) for defect in defects]
        try:
            spot = self._spot(foreground, label, rng, np.logical_or.reduce(taken) if taken else None)
        except DataError:
            if number == 0:
                raise
            return None
        height, width = spot.mask.shape
        box = (float(spot.left), float(spot.top), float(spot.left + width), float(spot.top + height))
        window = self.generator.window(box, image.shape[:2])
        mask = np.zeros(window.size_hw, bool)
        top, left = spot.top - window.top, spot.left - window.left
        mask[top : top + height, left : left + width] = spot.mask
        guide = self.kit.guides.draw(label, rng, self.plan.wishes) if self.plan.guided else {}
        patch = Patch(window.cut(image).copy(), mask, label, _paint_seed(draft, number), guide)
        return Site(window, patch, window.cut(foreground).copy())

    def _anywhere(self, draft: Draft, number: int, background: Image) -> Site:
        """Return the site for a generator that decides itself where the defect goes."""
        height, width = background.shape[:2]
        window = self.generator.window((0.0, 0.0, float(width), float(height)), (height, width))
        mask = np.zeros(window.size_hw, bool)
        patch = Patch(window.cut(background).copy(), mask, draft.labels[number], _paint_seed(draft, number))
        return Site(window, patch, window.cut(self._allowed(background)).copy())

    def _spot(self, foreground: Mask, label: str, rng: np.random.Generator, taken: Mask | None) -> PlacedMask:
        """Return a shape with a place for it; one that fits nowhere gives way to the next, up to a DataError."""
        settings = self.kit_settings.masks
        for _ in range(SHAPES_TRIED - 1):
            with suppress(DataError):
                return draw_placed(self.kit.bank, label, foreground, rng, settings, taken)
        return draw_placed(self.kit.bank, label, foreground, rng, settings, taken)

    def _candidate(self, site: Site, painting: Painting) -> Candidate:
        patch = site.patch
        whole = Window(0, 0, *site.window.size_hw)
        painted = composite(patch.background, whole, painting, self.kit_settings.composite)
        asked = patch.mask if self.generator.takes_mask else None
        bare = patch.background if painting.bare is None else painting.bare
        foreground = site.foreground if painting.bare is None else self._allowed(painting.bare)
        return Candidate(bare, painted, asked, painting.mask, patch.label, foreground, painting.shown)

    def _painted(self, draft: Draft, image: Image) -> tuple[Image, list[Defect]]:
        """Return the background with the paintings made so far, and their defects."""
        defects = []
        for site, painting in draft.laid:
            image = composite(image, site.window, painting, self.kit_settings.composite)
            if painting.mask.any():
                mask = np.zeros(image.shape[:2], bool)
                site.window.cut(mask)[:] = painting.mask
                defects.append(Defect(site.patch.label, mask, painting.approximate))
        return image, defects

    def _finish(self, draft: Draft) -> Made:
        image, defects = self._painted(draft, load_sample(draft.background).image)
        birth = Birth(
            id=draft.order.id,
            generator=self.name,
            weights_sha256=self.generator.weights_sha256,
            background_id=draft.background.id,
            background_sha256=image_sha256(draft.background),
            seed=draft.order.seed,
            defects=tuple(_birth_row(site, painting) for site, painting in draft.laid),
            scores=_worst(draft.verdicts),
            version=__version__,
            background="made" if draft.is_whole else "kept",
        )
        accepted = bool(defects) and (not self.judged or all(verdict.accepted for verdict in draft.verdicts))
        reasons = tuple(dict.fromkeys(reason for verdict in draft.verdicts for reason in verdict.reasons))
        return Made(draft.order, draft.background, image, tuple(defects), birth, accepted, reasons, draft.trial)


def _birth_row(site: Site, painting: Painting) -> dict[str, Any]:
    guide = {name: round(float(value), 6) for name, value in site.patch.guide.items()}
    row = {"label": site.patch.label, "window": list(site.window), "seed": site.patch.seed, "guide": guide}
    source = {} if painting.source is None else {"source": painting.source}
    marked = {"mask": "proposed"} if painting.approximate else {}
    return {**row, **source, **marked, **painting.notes}


def _paint_seed(draft: Draft, number: int) -> int:
    return derive_seed(draft.order.seed, "paint", number)


def _worst(verdicts: Sequence[Verdict]) -> Mapping[str, float | None]:
    """Return the least score of each gate, None for one that applies to no defect."""
    found: dict[str, list[float]] = {}
    for verdict in verdicts:
        for name, score in verdict.scores.items():
            found.setdefault(name, []).extend([] if score is None else [score])
    return {name: round(min(scores), 6) if scores else None for name, scores in found.items()}
