"""The gates: each scores one painted defect; higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from flawsmith.core.errors import DataError, StageError
from flawsmith.core.files import read_json, write_json, written_whole
from flawsmith.core.records import Image, Mask
from flawsmith.core.registry import Registry
from flawsmith.filtering.changes import changed_mask, difference, dilated, local_noise, reach
from flawsmith.filtering.copies import Templates, likeness, likeness_as_laid
from flawsmith.filtering.forms import Forms

if TYPE_CHECKING:
    from flawsmith.filtering.panel import Opinion, Panel

PANEL = "panel"
"""The folder of the networks, in that of the context."""


@dataclass(frozen=True)
class Candidate:
    """One painted defect: crops of the background and of the result (HWC, same shape and depth), the mask asked for
    (None: none was), the mask that would be exported, its class, where the object is (None: everywhere), and the
    training defect that the painting began with, laid on the same crop (None: nothing). Masks are HW bool.
    """

    background: Image
    painted: Image
    asked: Mask | None
    mask: Mask
    label: str
    foreground: Mask | None = None
    shown: Image | None = None

    def __post_init__(self) -> None:
        if self.painted.shape != self.background.shape or self.painted.dtype != self.background.dtype:
            raise DataError(
                f"a candidate's crops differ: background {self.background.shape} of {self.background.dtype}, "
                f"painted {self.painted.shape} of {self.painted.dtype}; cut both from the same window"
            )
        for name in ("asked", "mask", "foreground"):
            mask = getattr(self, name)
            if mask is not None and (mask.shape != self.background.shape[:2] or mask.dtype != np.bool_):
                raise DataError(
                    f"a candidate's {name} is HW bool of {self.background.shape[:2]}, got {mask.shape} of {mask.dtype}"
                )


@dataclass(frozen=True)
class GateContext:
    """What the gates know of the training part: thresholds by class and gate, each class's defects, the networks that
    judge them, where a gate asks for any, and the range of each class's masks. A gate without a threshold is not asked.
    """

    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    templates: Mapping[str, Templates] = field(default_factory=dict)
    panel: Panel | None = None
    forms: Mapping[str, Forms] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the context as JSON and safetensors."""
        labels = sorted(self.templates)
        tensors = {}
        for number, label in enumerate(labels):
            for name in ("pixels", "masks", "factors"):
                tensors[f"{number}.{name}"] = np.ascontiguousarray(getattr(self.templates[label], name))
        with written_whole(folder / "templates.safetensors") as beside:
            save_file(tensors, beside)
        thresholds = {label: dict(each) for label, each in self.thresholds.items()}
        forms = {label: asdict(each) for label, each in self.forms.items()}
        write_json(folder / "gates.json", {"thresholds": thresholds, "templates": labels, "forms": forms})
        if self.panel is not None:
            self.panel.copy_to(folder / PANEL)

    @classmethod
    def load(cls, folder: Path) -> GateContext:
        """Read what `save` wrote."""
        data, tensors = read_json(folder / "gates.json"), load_file(folder / "templates.safetensors")
        templates = {
            label: Templates(*(tensors[f"{number}.{name}"] for name in ("pixels", "masks", "factors")))
            for number, label in enumerate(data["templates"])
        }
        forms = {label: Forms(**each) for label, each in data.get("forms", {}).items()}
        if not (folder / PANEL).is_dir():
            return cls(data["thresholds"], templates, forms=forms)
        from flawsmith.filtering.panel import load_panel

        return cls(data["thresholds"], templates, load_panel(folder / PANEL), forms)


Gate = Callable[[Candidate, GateContext], float | None]
"""Returns None for a candidate to which it does not apply."""

GATES = Registry[Gate]("gate")


@GATES.register("mask_obeyed")
def mask_obeyed(candidate: Candidate, context: GateContext) -> float | None:
    """Return the overlap (IoU, 0 to 1) of the exported mask with the pixels that changed.

    It does not apply where no mask was asked for: one that was read off the change obeys it by construction.
    """
    if candidate.asked is None:
        return None
    near = candidate.asked | candidate.mask
    return overlap(candidate.mask, changed_mask(candidate.background, candidate.painted, near))


@GATES.register("mask_plausible")
def mask_plausible(candidate: Candidate, context: GateContext) -> float | None:
    """Return how near the mask's area and number of pieces lie to those of training defects (0: far, 1: within).

    It applies only where no mask was asked for: what was asked for is the plan's, or the user's wish.
    """
    forms = context.forms.get(candidate.label)
    return None if candidate.asked is not None or forms is None else forms.fit(candidate.mask)


@GATES.register("visible")
def visible(candidate: Candidate, context: GateContext) -> float:
    """Return the mean change inside the mask in standard deviations of the background's texture around it (0 up)."""
    return contrast(candidate.background, candidate.painted, candidate.mask)


@GATES.register("on_object")
def on_object(candidate: Candidate, context: GateContext) -> float:
    """Return the share of the mask that lies on the object (0 to 1); 1 where the object is everywhere."""
    if not candidate.mask.any():
        return 0.0
    return 1.0 if candidate.foreground is None else float(candidate.foreground[candidate.mask].mean())


@GATES.register("not_a_copy")
def not_a_copy(candidate: Candidate, context: GateContext) -> float:
    """Return one minus the likeness to the most similar training defect of the class (0: a copy, to 1).

    Likeness that the background has of itself does not count. The training defect that the painting began with is
    compared as it was laid, however it was turned and resized.
    """
    templates = context.templates.get(candidate.label)
    painted, bare, mask = candidate.painted, candidate.background, candidate.mask
    alike = [0.0] if candidate.shown is None else [likeness_as_laid(painted, bare, mask, candidate.shown)]
    if templates is not None and len(templates):
        alike.append(float(likeness(painted, bare, mask, templates).max()))
    return 1.0 - max(alike)


@GATES.register("class_agreed")
def class_agreed(candidate: Candidate, context: GateContext) -> float:
    """Return how sure the networks are of the defect's class (0 to 1), good parts being a class too."""
    return _opinion(candidate, context).agreed


@GATES.register("realistic")
def realistic(candidate: Candidate, context: GateContext) -> float:
    """Return how near the defect is to real ones of its class in the networks' features (0: far, 1: the same).

    0.5 is as near as real defects of different groups usually are to each other.
    """
    return _opinion(candidate, context).near


def _opinion(candidate: Candidate, context: GateContext) -> Opinion:
    if context.panel is None:
        raise StageError("these gates were fitted without networks: set kit.gates.class_agreed=auto and fit them again")
    return context.panel.opinion(candidate.painted, candidate.mask, candidate.label)


def overlap(one: Mask, other: Mask) -> float:
    """Return intersection over union of two masks; 0 when both are empty."""
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 0.0


def contrast(background: Image, painted: Image, mask: Mask) -> float:
    """Return the mean absolute change inside a mask over the texture's standard deviation outside it.

    Texture counts as at least half a percent of the background's range and one grey level of an 8-bit image, so
    that a flat background does not make the smallest change visible.
    """
    if not mask.any():
        return 0.0
    outside = ~dilated(mask, reach(mask))
    low, high = np.percentile(background, (1, 99))
    floor = max(0.005 * float(high - low), np.iinfo(background.dtype).max / 255 / 2)
    return float(difference(background, painted)[mask].mean() / max(local_noise(background, outside), floor))
