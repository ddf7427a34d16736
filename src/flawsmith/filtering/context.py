"""Fitting the gates on training defects, and judging candidates with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.geometry import window_around
from flawsmith.core.records import GOOD, Defect, Image, Mask, Sample
from flawsmith.core.registry import unknown
from flawsmith.filtering.changes import changed_mask, dilated
from flawsmith.filtering.copies import likeness, make_templates, similarities
from flawsmith.filtering.duplicates import likenesses, views
from flawsmith.filtering.forms import Forms
from flawsmith.filtering.gates import GATES, Candidate, GateContext, contrast, overlap
from flawsmith.filtering.settings import PANEL_GATES, GateSettings

if TYPE_CHECKING:
    from flawsmith.filtering.panel import Panel

__all__ = ["GateContext", "GateSettings", "Verdict", "fit_gates", "judge"]

MARGIN_PX = 16
RING_PX = (2, 8)
"""The surroundings whose median stands for the background of a real defect begin and end this far from its mask."""
ON_OBJECT = 0.8
NEAR_RANGE = 0.5
"""Twice the largest area or number of pieces of a real mask, or half the smallest area."""
ALIKE_BY_CHANCE = 0.995
MARGIN_SHARE = 0.25
SAME_DEFECT = 0.9
"""Where groups are not known, training defects more alike than this are taken for one defect photographed twice."""
SAME_PHOTOGRAPH = 0.98
"""Even in different groups, defects more alike than this are one defect photographed, or filed, twice."""
BARE_PLACES = 3
"""Defect-free images that stand for the unknown background of a real defect."""
LEAST_LIKENESS = 0.6
"""Less alike than this is never a copy."""
SAME_SKETCH = 0.999
"""The same for sketches, which small defects without structure share nearly as much."""
LEAST_DUPLICATE = 0.95
"""Less alike than this are never duplicates of each other."""
LONE_LIKENESS = 0.8
"""Likeness allowed for a class with too few defects to measure how alike different ones are."""


@dataclass(frozen=True)
class Verdict:
    """What the gates say of a candidate: every score (None: the gate does not apply), and a reason
    "gate: score < threshold" per gate not passed.
    """

    accepted: bool
    scores: dict[str, float | None]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """A real defect cut out of its sample, and the same place of some defect-free ones."""

    group: str
    image: Image
    mask: Mask
    bares: list[Image]


def judge(candidate: Candidate, context: GateContext) -> Verdict:
    """Score a candidate with every gate that has a threshold for its class.

    Raises DataError for a class that the gates were not fitted on.
    """
    if candidate.label not in context.thresholds:
        raise DataError(unknown("defect class", candidate.label, context.thresholds))
    thresholds = context.thresholds[candidate.label]
    scores = {name: GATES[name](candidate, context) for name in GATES if name in thresholds}
    low = [(name, score) for name, score in scores.items() if score is not None and score < thresholds[name]]
    reasons = tuple(f"{name}: {score:.3g} < {thresholds[name]:.3g}" for name, score in low)
    return Verdict(not low, scores, reasons)


def fit_gates(
    samples: Iterable[Sample],
    settings: GateSettings,
    groups: Mapping[str, str] | None = None,
    panel: Panel | None = None,
) -> GateContext:
    """Measure the thresholds set to "auto" on training samples, class by class, and keep their defects.

    `groups` maps sample ids to groups: how alike different defects may be is measured between groups only. Without
    it, samples count as different unless their defects are nearly equal. The gates that ask networks
    need a `panel`. Raises SettingsError where they are on without one.
    """
    if settings.asks_a_panel and panel is None:
        raise SettingsError(
            f"the gates {' and '.join(PANEL_GATES)} ask networks: give fit_gates a panel, or set both to 0"
        )
    samples = list(samples)
    goods = [sample.image for sample in samples if sample.label == GOOD]
    pieces: dict[str, list[_Piece]] = {}
    for sample in samples:
        group = (groups or {}).get(sample.id, sample.id)
        for defect in sample.defects:
            pieces.setdefault(defect.label, []).append(_cut_out(sample.image, defect, group, goods[:BARE_PLACES]))
    templates = {label: make_templates([(each.image, each.mask) for each in pieces[label]]) for label in sorted(pieces)}
    forms = {label: Forms.of(each.mask for each in pieces[label]) for label in templates}
    context = GateContext({}, templates, panel)
    known = groups is not None
    thresholds = {label: _thresholds(pieces[label], label, context, settings, known) for label in templates}
    return GateContext(thresholds, templates, panel, forms)


def _thresholds(
    pieces: Sequence[_Piece], label: str, context: GateContext, settings: GateSettings, known: bool
) -> dict[str, float]:
    chosen: dict[str, float | str] = settings.model_dump()
    limit = SAME_PHOTOGRAPH if known else SAME_DEFECT
    measures = {
        "mask_obeyed": lambda: _obeyed_by_real(pieces),
        "mask_plausible": lambda: NEAR_RANGE,
        "visible": lambda: _visibility_of_real(pieces),
        "on_object": lambda: ON_OBJECT,
        "not_a_copy": lambda: 1 - _likeness_of_different(pieces, label, context, limit),
        "not_a_duplicate": lambda: 1 - _likeness_of_sketches(pieces, SAME_SKETCH if known else SAME_DEFECT),
    }
    asked = {name: value for name, value in chosen.items() if name not in PANEL_GATES}
    found = {name: float(measures[name]() if value == "auto" else value) for name, value in asked.items()}
    return found | _asked_of_panel(label, context.panel, settings)


def _asked_of_panel(label: str, panel: Panel | None, settings: GateSettings) -> dict[str, float]:
    """Return the limits of the gates that ask networks: none where off, or where a class has nothing to measure on."""
    if panel is None:
        return {}
    wanted = {name: getattr(settings, name) for name in PANEL_GATES if getattr(settings, name) != 0}
    measured = panel.limits.get(label)
    known = {} if measured is None else dict(zip(PANEL_GATES, (measured.agreed, measured.near), strict=True))
    limits = {name: known.get(name) if value == "auto" else float(value) for name, value in wanted.items()}
    return {name: value for name, value in limits.items() if value is not None}


def _obeyed_by_real(pieces: Sequence[_Piece]) -> float:
    """Return the overlap that 3 of 4 real masks reach with the pixels that stand out, from 0.3 to 0.5."""
    scores = [overlap(each.mask, changed_mask(_plain(each), each.image, each.mask)) for each in pieces]
    return float(np.clip(np.quantile(scores, 0.25), 0.3, 0.5))


def _visibility_of_real(pieces: Sequence[_Piece]) -> float:
    """Return the visibility that 95 % of the real defects reach, from 0.5 to 3 standard deviations."""
    scores = [contrast(each.image, _on_plain(each), each.mask) for each in pieces]
    return float(np.clip(np.quantile(scores, 0.05), 0.5, 3.0))


def _likeness_of_different(pieces: Sequence[_Piece], label: str, context: GateContext, limit: float) -> float:
    """Return the likeness above which a defect is taken for a copy: a little above that of different real ones."""
    templates = context.templates[label]
    groups = np.array([each.group for each in pieces])
    nearest = []
    for piece in pieces:
        different = (groups != piece.group) & (similarities(piece.image, piece.mask, templates) < limit)
        bares = piece.bares or [np.zeros_like(piece.image)]
        alike = np.mean([likeness(piece.image, bare, piece.mask, templates) for bare in bares], axis=0)[different]
        if len(alike):
            nearest.append(float(alike.max()))
    if not nearest:
        return LONE_LIKENESS
    usual = float(np.quantile(nearest, ALIKE_BY_CHANCE))
    return max(usual + MARGIN_SHARE * (1 - usual), LEAST_LIKENESS)


def _likeness_of_sketches(pieces: Sequence[_Piece], limit: float) -> float:
    """Return the likeness above which two defects of a set are duplicates: a little above that of different real ones.

    What real defects share with their backgrounds counts here as it does between synthetic ones.
    """
    seen = np.stack([views(each.image, each.mask) for each in pieces])
    alike, groups = likenesses(seen, seen[:, 0]), np.array([each.group for each in pieces])
    alike[(groups[:, None] == groups[None]) | (alike >= limit)] = 0
    usual = float(np.quantile(alike.max(1), ALIKE_BY_CHANCE))
    return max(usual + MARGIN_SHARE * (1 - usual), LEAST_DUPLICATE)


def _cut_out(image: Image, defect: Defect, group: str, goods: Sequence[Image]) -> _Piece:
    left, top, right, bottom = defect.box_xyxy
    size_hw = (int(bottom - top) + 2 * MARGIN_PX, int(right - left) + 2 * MARGIN_PX)
    centre_yx = (top + bottom) / 2, (left + right) / 2
    window = window_around(centre_yx, size_hw, image.shape[:2])
    bares = [_same_place(good, (image.shape[0], image.shape[1]), centre_yx, window.size_hw) for good in goods]
    return _Piece(group, window.cut(image).copy(), window.cut(defect.mask).copy(), bares)


def _same_place(
    good: Image, image_hw: tuple[int, int], centre_yx: tuple[float, float], size_hw: tuple[int, int]
) -> Image:
    """Return a piece of a good image, mirrored where that is too small, as far from its edges in proportion."""
    missing = [(0, max(0, size_hw[axis] - good.shape[axis])) for axis in (0, 1)]
    grown = np.pad(good, [*missing, (0, 0)], mode="symmetric")
    y, x = (centre_yx[axis] * good.shape[axis] / image_hw[axis] for axis in (0, 1))
    return window_around((y, x), size_hw, grown.shape[:2]).cut(grown).copy()


def _plain(piece: _Piece) -> Image:
    """Return an image that has the median of the defect's surroundings everywhere."""
    inner, outer = (dilated(piece.mask, radius) for radius in RING_PX)
    ring = outer & ~inner
    around = piece.image[ring if ring.any() else ~piece.mask if not piece.mask.all() else piece.mask]
    median: NDArray[np.float64] = np.median(around, axis=0)
    return np.broadcast_to(np.rint(median), piece.image.shape).astype(piece.image.dtype)


def _on_plain(piece: _Piece) -> Image:
    """Return the image with the defect replaced by the median of its surroundings."""
    return np.where(piece.mask[..., None], _plain(piece), piece.image)
