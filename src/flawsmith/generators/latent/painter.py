"""Drawing whole images of a class at places of the pattern, and proposing where their defects are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from flawsmith.core.errors import SettingsError
from flawsmith.core.geometry import Window
from flawsmith.core.records import Box, Painting, Patch
from flawsmith.core.registry import unknown
from flawsmith.core.rng import stream
from flawsmith.diffusion.chain import Chain
from flawsmith.generators.gallery import Gallery
from flawsmith.generators.latent.captions import XY, Captions, Told
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.drawing import draw_pictures
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.settings import LatentSamplingSettings
from flawsmith.generators.whole import whole_painting
from flawsmith.nets.vqvae import VqVae


class LatentPainter:
    """Trained networks, the captions they have learnt by, and the gallery that pictures are compared with."""

    takes_mask = False

    def __init__(
        self,
        net: LatentNet,
        vqvae: VqVae,
        chain: Chain,
        captions: Captions,
        gallery: Gallery,
        size_hw: tuple[int, int],
        sampling: LatentSamplingSettings,
        weights_sha256: str,
    ) -> None:
        self.net, self.vqvae, self.chain, self.gallery = net.eval(), vqvae.eval(), chain, gallery
        self.captions, self.size_hw = captions, size_hw
        self.sampling, self.weights_sha256 = sampling, weights_sha256
        self.told = told_by_class(captions, gallery)
        if sampling.place_xy is not None and captions.plane is None:
            raise SettingsError(
                "latent.sampling.place_xy asks for a place, but this generator has learnt none: fit it with "
                "latent.captions or latent.locate, or leave place_xy out"
            )

    def window(self, box_xyxy: Box, size_hw: tuple[int, int]) -> Window:
        """Return the whole picture."""
        return Window(0, 0, *size_hw)

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Make a picture for every patch, as large as it is; raises SettingsError for a class not learnt."""
        for patch in patches:
            if patch.label not in self.told:
                raise SettingsError(unknown("defect class", patch.label, self.told))
        if not patches:
            return []
        told = [self._caption(patch) for patch in patches]
        condition = Condition.of(told, self.captions.names, self.captions.plane)
        pictures = draw_pictures(
            self.net, self.vqvae, self.chain, self.size_hw, condition, [patch.seed for patch in patches], self.sampling
        )
        rows = zip(patches, told, pictures, strict=True)
        return [whole_painting(picture, patch, self.gallery, {"caption": str(each)}) for patch, each, picture in rows]

    def _caption(self, patch: Patch) -> Told:
        """Return the caption of a training image of the class, moved to where the settings want it."""
        known, rng = self.told[patch.label], stream(patch.seed, "caption")
        told = known[int(rng.integers(len(known)))]
        return replace(told, place=self._place(told.place, rng))

    def _place(self, seen: XY | None, rng: np.random.Generator) -> XY | None:
        sampling, plane = self.sampling, self.captions.plane
        if plane is None:
            return None
        x, y = rng.uniform(0, plane.reach_xy)
        aside = rng.normal(0, sampling.jitter_px, 2)
        if sampling.place == "random":
            return float(x), float(y)
        place = sampling.place_xy or seen
        if place is None or sampling.place == "seen":
            return place
        return plane.wrapped((place[0] + float(aside[0]), place[1] + float(aside[1])))


def told_by_class(captions: Captions, gallery: Gallery) -> Mapping[str, tuple[Told, ...]]:
    """Return the captions of the defect pictures of every class."""
    labels = sorted({each.label for each in gallery.defects})
    return {
        label: tuple(captions.by_id[each.id] for each in gallery.defects if each.label == label) for label in labels
    }
