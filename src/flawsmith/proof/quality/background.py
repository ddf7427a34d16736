"""That a synthetic image is its background but for the defect: difference and structural similarity outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from flawsmith.core.records import Catalog, Entry, Image, Sample
from flawsmith.data.loading import load_sample
from flawsmith.metrics.structure import REACH_PX, error_outside, ssim, ssim_outside
from flawsmith.proof.quality.pick import spread

PIXELS = 40_000_000
"""Structural similarity is computed for about so many pixels, which takes some ten seconds."""


def against_backgrounds(
    made: Catalog, train: Catalog, background_of: Mapping[str, str], gap_px: int, most: int
) -> dict[str, Any]:
    """Compare synthetic images with the training images they were made from, further than `gap_px` from their masks.

    `background_of` maps an image's id to its background's; others are left out. The largest error, a share of the full
    range, is over all images, of which those without any are counted; similarities are over at most `most`, fewer where
    they are large.
    """
    bare = {entry.id: entry for entry in train}
    made = made.with_entries(entry for entry in made if entry.id in background_of)

    def pair(entry: Entry) -> tuple[Sample, Image]:
        return load_sample(entry), load_sample(bare[background_of[entry.id]]).image

    errors = [error_outside(sample.image, image, sample.mask, gap_px) for sample, image in map(pair, made)]
    return {
        "images": len(errors),
        "largest_error_outside": max(errors, default=None),
        "unchanged_outside": sum(each == 0 for each in errors),
        "gap_px": gap_px,
        **_similarities(map(pair, _few(made, most)), gap_px),
    }


def _few(made: Catalog, most: int) -> list[Entry]:
    if not len(made):
        return []
    size = load_sample(made.entries[0]).mask.size
    return spread(list(made), min(most, max(1, PIXELS // size)))


def _similarities(pairs: Iterable[tuple[Sample, Image]], gap_px: int) -> dict[str, Any]:
    """Return the mean similarity over whole images, and the least of those outside the masks."""
    seen = [(sample, image) for sample, image in pairs if min(sample.size_hw) > 2 * REACH_PX]
    outer = [ssim_outside(sample.image, image, sample.mask, gap_px) for sample, image in seen]
    return {
        "ssim": float(np.mean([ssim(sample.image, image) for sample, image in seen])) if seen else None,
        "least_ssim_outside": min((each for each in outer if np.isfinite(each)), default=None),
    }
