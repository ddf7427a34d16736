"""Quality over training: what a generator painted, outside its defects and of them, at each state that was kept.

Looked at is the painting itself, before it is blended: under the blending's feather every image equals its background
outside, whatever the generator did there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flawsmith.core.geometry import Window
from flawsmith.core.protocols import Generator
from flawsmith.core.records import Box, Catalog, Defect, Image, Mask, Painting, Patch
from flawsmith.features.crops import cut, defect_crops, spot_of
from flawsmith.features.extractor import Extractor, Values
from flawsmith.metrics.perceptual import lpips
from flawsmith.metrics.structure import REACH_PX, outside, ssim_outside
from flawsmith.proof.quality.numbers import set_distances
from flawsmith.proof.quality.pick import spread
from flawsmith.proof.quality.settings import QualitySettings
from flawsmith.synthesis.make import Workshop
from flawsmith.synthesis.plan import orders

PER_CLASS = 8
"""Images painted by every state, per class: the same places, shapes and seeds each time."""


@dataclass(frozen=True)
class Painted:
    """One painting as the generator gave it: the defect-free crop and the painted one (HWC), and the mask (HW)."""

    background: Image
    image: Image
    mask: Mask
    label: str


class Overheard:
    """A generator that keeps what it was asked and what it painted."""

    def __init__(self, generator: Generator) -> None:
        self.generator, self.weights_sha256 = generator, generator.weights_sha256
        self.takes_mask = generator.takes_mask
        self.heard: list[Painted] = []

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the generator's window."""
        return self.generator.window(box_xyxy, size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Paint, and keep what shows anything."""
        paintings = self.generator.paint(patches)
        self.heard += [
            Painted(_bare(patch, painting), painting.image, painting.mask, patch.label)
            for patch, painting in zip(patches, paintings, strict=True)
            if painting.mask.any()
        ]
        return paintings


def _bare(patch: Patch, painting: Painting) -> Image:
    return patch.background if painting.bare is None else painting.bare


def painted_by(shop: Workshop) -> list[Painted]:
    """Return what a workshop's generator paints for the first images of every class, judged by no gate."""
    overheard = Overheard(shop.generator)
    wanted = orders(dict.fromkeys(shop.kit.bank.labels, PER_CLASS), shop.plan.seed)
    for _ in replace(shop, generator=overheard, judged=False).make(wanted):
        pass
    return overheard.heard


def real_features(train: Catalog, settings: QualitySettings, extractor: Extractor) -> Values:
    """Return the features (N, D) of the training part's defects."""
    crops = [crop.image for crop, _ in defect_crops(train, settings.margin, settings.least_px)]
    return extractor.look(spread(crops, settings.most)).features


def state_numbers(
    painted: Sequence[Painted], real: Values | None, extractor: Extractor | None, settings: QualitySettings, gap_px: int
) -> dict[str, Any]:
    """Return the mean SSIM and LPIPS to the background further than `gap_px` from the masks, and KID to real defects.

    Without a network (`extractor` and `real` None) there is SSIM alone; what cannot be computed is None.
    """
    similar = [
        ssim_outside(each.background, each.image, each.mask, gap_px)
        for each in painted
        if min(each.mask.shape) > 2 * REACH_PX
    ]
    known = [each for each in similar if np.isfinite(each)]
    found: dict[str, Any] = {"paintings": len(painted), "ssim_outside": float(np.mean(known)) if known else None}
    if extractor is None or real is None or not painted:
        return found | {"lpips_outside": None, "kid": None, "kid_error": None}
    sets = set_distances(real, extractor.look([_defect(each, settings) for each in painted]).features)
    return found | {"lpips_outside": _lpips_outside(painted, extractor, gap_px)} | _kid(sets)


def _kid(sets: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sets[name] for name in ("kid", "kid_error")}


def _lpips_outside(painted: Sequence[Painted], extractor: Extractor, gap_px: int) -> float:
    """Return the mean distance of backgrounds to paintings whose defect is covered with the background again."""
    covered = [
        np.where(outside(each.mask, gap_px)[..., None], each.image, each.background).astype(each.image.dtype)
        for each in painted
    ]
    bare = extractor.look([each.background for each in painted])
    return float(lpips(bare.maps, extractor.look(covered).maps, extractor.lpips_weights).mean())


def _defect(painted: Painted, settings: QualitySettings) -> Image:
    box = Defect(painted.label, painted.mask).box_xyxy
    height, width = painted.mask.shape
    return cut(painted.image, spot_of(box, (height, width), settings.margin, settings.least_px))
