"""soft_mask: masks with grey levels between black and white, of which a threshold decides."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.records import MaskFile
from flawsmith.data.checks.facts import measured_masks
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey

MOST_SOFT = 0.05
"""Pixels with a grey level between, per pixel of the mask."""


@SET_CHECKS.register("soft_mask")
def soft_mask(seen: Survey) -> Iterator[Problem]:
    """Yield one note per class that has masks with soft edges."""
    for label in seen.catalog.defect_labels:
        measured = [pair for entry, facts in seen if entry.label == label for pair in measured_masks(entry, facts)]
        soft = [file for file, mask in measured if isinstance(file, MaskFile) and mask.soft > MOST_SOFT]
        if soft:
            counts = (
                f"{len(soft)} of {len(measured)} masks of the class {label!r} have soft edges (grey levels between)"
            )
            text = f"{counts}: pixels of {soft[0].threshold} and above belong to the defect"
            yield Problem(soft[0].path, "soft_mask", text, "note", tuple(file.path for file in soft[1:]))
