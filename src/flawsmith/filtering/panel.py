"""A panel of small networks of the product's own: how sure it is of a defect's class, how near real ones it lies.

Each network is taught without one part of the groups of defects. So every real defect is judged by one that has never
seen its part, as no network has seen a synthetic one: scores of both may be compared (cross-conformal prediction, Vovk
2015, "Cross-conformal predictors", section 2).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from flawsmith.core.files import read_json, write_json, written_whole
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog, Image, Mask
from flawsmith.features.crops import Crop, cut, spot_of
from flawsmith.features.extractor import Extractor, Values
from flawsmith.features.in_domain import WEIGHTS, fit_on_crops, open_in_domain, training_crops
from flawsmith.filtering.settings import PanelSettings

CARD, SEEN = "panel.json", "panel.safetensors"
PASSING = 0.95
"""Share of the real defects, each judged by networks that never saw its part, that pass a measured limit."""
SURE = 0.5
"""A class surer than all others together is always agreed to."""


@dataclass(frozen=True)
class Opinion:
    """What networks say of one defect: probability of its class, and nearness to real ones of it, both 0 to 1."""

    agreed: float
    near: float


@dataclass(frozen=True)
class Member:
    """One network with what it sees in the training defects of each class (N, D), and how far apart they usually are.

    Usual is the median distance from a defect to the nearest one of another group.
    """

    net: Extractor
    known: Mapping[str, Values]
    usual: Mapping[str, float]

    def opinion(
        self, features: Values, logits: Values, label: str, allowed: NDArray[np.bool_] | None = None
    ) -> Opinion:
        """Judge one defect's features (D,) and logits (C,), beside the training defects `allowed` (N,)."""
        classes = self.net.identity["classes"]
        shares = np.exp(logits.astype(np.float64) - logits.max())
        known = self.known[label] if allowed is None else self.known[label][allowed]
        distance = float(np.linalg.norm(known - features, axis=1).min())
        near = self.usual[label] / max(self.usual[label] + distance, 1e-12)
        return Opinion(float(shares[classes.index(label)] / shares.sum()), near)


class Panel:
    """The networks at work. `limits` holds, per class, the opinion that `PASSING` of its real defects reach.

    A class whose defects are all of one group has none: nothing says how alike its defects are.
    """

    def __init__(
        self, members: Sequence[Member], limits: Mapping[str, Opinion], settings: PanelSettings, home: Path
    ) -> None:
        self.members, self.limits, self.settings, self.home = tuple(members), limits, settings, home
        self._last: tuple[Image, Mask, str, Opinion] | None = None

    def opinion(self, image: Image, mask: Mask, label: str) -> Opinion:
        """Judge the defect of a class at `mask` (HW) in an image (HWC): the mean of the networks that know the class.

        Two gates ask about one picture in turn, so the last answer is kept.
        """
        last = self._last
        if last is None or last[0] is not image or last[1] is not mask or last[2] != label:
            last = self._last = image, mask, label, self._asked(image, mask, label)
        return last[3]

    def _asked(self, image: Image, mask: Mask, label: str) -> Opinion:
        knowing = [member for member in self.members if label in member.known]
        if not mask.any() or not knowing:
            return Opinion(0.0, 0.0)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
        crop = cut(image, spot_of(box, mask.shape, self.settings.margin, self.settings.least_px))
        said = []
        for member in knowing:
            look = member.net.look([crop])
            assert look.logits is not None
            said.append(member.opinion(look.features[0], look.logits[0], label))
        return Opinion(float(np.mean([each.agreed for each in said])), float(np.mean([each.near for each in said])))

    def copy_to(self, folder: Path) -> None:
        """Write the panel into another folder than the one it was taught in."""
        if folder.resolve() != self.home.resolve():
            shutil.copytree(self.home, folder, dirs_exist_ok=True)


def fit_panel(crops: Sequence[Crop], settings: PanelSettings, folder: Path, *, progress: Progress = silent) -> Panel:
    """Teach the networks on crops of the training part (defects and good), write them into `folder`, measure limits.

    Called again after an interruption it resumes.
    """
    defects = [crop for crop in crops if crop.label != GOOD]
    parts = dealt([(crop.label, crop.group) for crop in defects], settings.networks)
    members, heard = list[Member](), dict[str, list[Opinion]]()
    for number in range(settings.networks):
        taught = [crop for crop in crops if crop.label == GOOD or parts.get(crop.group) != number]
        net = fit_on_crops(taught, settings.features, folder / str(number), progress=progress)
        member, opinions = _measured(net, defects, [parts.get(crop.group) == number for crop in defects])
        members.append(member)
        for label, found in opinions.items():
            heard.setdefault(label, []).extend(found)
    panel = Panel(members, {label: lowest(found) for label, found in heard.items()}, settings, folder)
    _save(panel)
    return panel


def teach_panel(train_part: Catalog, settings: PanelSettings, folder: Path, *, progress: Progress = silent) -> Panel:
    """Fit a panel on the training part. Raises TrainingError where it has no good image or no defect mask."""
    return fit_panel(training_crops(train_part, settings.features), settings, folder, progress=progress)


def dealt(owners: Sequence[tuple[str, str]], parts: int) -> dict[str, int]:
    """Deal groups into parts, given the (class, group) of every defect: which part each is left out of.

    Of each class, parts hold about equally many. The group of a class that has but one is in none: it is always taught.
    """
    found: dict[str, int] = {}
    for label in sorted({label for label, _ in owners}):
        groups = list(dict.fromkeys(group for name, group in owners if name == label))
        if len(groups) < 2:
            continue
        for group in groups:
            if group not in found:
                held = [sum(found.get(other) == part for other in groups) for part in range(parts)]
                found[group] = held.index(min(held))
    alone = {label: {group for name, group in owners if name == label} for label, _ in owners}
    only = {group for groups in alone.values() if len(groups) == 1 for group in groups}
    return {group: part for group, part in found.items() if group not in only}


def lowest(opinions: Sequence[Opinion]) -> Opinion:
    """Return the limits that at least `PASSING` of real defects' opinions reach; of fewer than 20, all of them."""
    agreed, near = (
        float(np.quantile(values, 1 - PASSING, method="lower"))
        for values in ([each.agreed for each in opinions], [each.near for each in opinions])
    )
    return Opinion(min(agreed, SURE), near)


def _measured(
    net: Extractor, defects: Sequence[Crop], left_out: Sequence[bool]
) -> tuple[Member, dict[str, list[Opinion]]]:
    """Return a network with what it sees in all defects, and its opinions of those left out of its teaching."""
    look = net.look([crop.image for crop in defects])
    assert look.logits is not None
    labels, groups = (np.array([getattr(crop, name) for crop in defects]) for name in ("label", "group"))
    known, usual, opinions = {}, {}, {}
    for label in (each for each in net.identity["classes"] if each != GOOD):
        mine = np.flatnonzero(labels == label)
        known[label] = look.features[mine]
        others = groups[mine][:, None] != groups[mine][None]
        distances = np.linalg.norm(look.features[mine][:, None] - look.features[mine][None], axis=2)
        nearest = np.where(others, distances, np.inf).min(1)
        usual[label] = float(np.median(nearest[np.isfinite(nearest)])) if others.any() else 0.0
        member = Member(net, known, usual)
        opinions[label] = [
            member.opinion(look.features[place], look.logits[place], label, others[row])
            for row, place in enumerate(mine)
            if left_out[int(place)] and others[row].any()
        ]
    return Member(net, known, usual), {label: found for label, found in opinions.items() if found}


def _save(panel: Panel) -> None:
    tensors = {
        f"{number}.{label}": np.ascontiguousarray(member.known[label])
        for number, member in enumerate(panel.members)
        for label in member.known
    }
    with written_whole(panel.home / SEEN) as beside:
        save_file(tensors, beside)
    card = {
        "settings": panel.settings.model_dump(mode="json"),
        "limits": {label: [limit.agreed, limit.near] for label, limit in panel.limits.items()},
        "usual": [dict(member.usual) for member in panel.members],
    }
    write_json(panel.home / CARD, card)


def load_panel(folder: Path) -> Panel:
    """Open what `fit_panel` wrote."""
    card, tensors = read_json(folder / CARD), load_file(folder / SEEN)
    members = [
        Member(
            open_in_domain(folder / str(number) / WEIGHTS),
            {label: tensors[f"{number}.{label}"] for label in usual},
            usual,
        )
        for number, usual in enumerate(card["usual"])
    ]
    limits = {label: Opinion(*values) for label, values in card["limits"].items()}
    return Panel(members, limits, PanelSettings.model_validate(card["settings"]), folder)
