"""box_masks: masks that are drawn from boxes."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.core.drawn import DrawnMask
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("box_masks")
def box_masks(seen: Survey) -> Iterator[Problem]:
    """Yield one note that counts them: they hold sound pixels, too."""
    masks = [mask for entry in seen.catalog for mask in entry.masks]
    boxes = [mask for mask in masks if isinstance(mask, DrawnMask) and mask.approximate]
    if boxes:
        text = f"{len(boxes)} of {len(masks)} masks are drawn from boxes: they hold sound pixels too; outlines say more"
        yield Problem(boxes[0].path, "box_masks", text, "note")
