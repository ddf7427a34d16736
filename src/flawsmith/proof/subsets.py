"""How many real defects an arm learns from: fewer, in whole groups, nested and drawn by seed, or more, as a ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.rng import stream
from flawsmith.proof.arms import Arm
from flawsmith.proof.settings import ProofSettings


def fewer(train: Catalog, groups: int, seed: int) -> Catalog:
    """Return a training part with at most `groups` groups of each defect class, and all its good images.

    No group is cut, and with one seed what fewer groups hold is held by more. A class that has not so many keeps all it
    has; one that shares groups with another class may keep more than `groups`.
    """
    places = _places(train, seed)
    return train.with_entries(each for each in train if each.label == GOOD or places[each.group] < groups)


def _places(train: Catalog, seed: int) -> dict[str, int]:
    """Return each group's place in the drawn order of its class, the first of them where it shows several."""
    found: dict[str, int] = {}
    for label in train.defect_labels:
        names = _groups(train, label)
        for place, number in enumerate(stream(seed, "proof", "fewer", label).permutation(len(names))):
            found[names[number]] = min(place, found.get(names[number], place))
    return found


def _groups(train: Catalog, label: str) -> list[str]:
    return sorted({entry.group for entry in train.labelled(label)})


def groups_per_class(train: Catalog) -> float:
    """Return the mean number of groups over the defect classes, 0 where there is none."""
    counts = [len(_groups(train, label)) for label in train.defect_labels]
    return float(np.mean(counts)) if counts else 0.0


def real_part(train: Catalog, arm: Arm, seed: int) -> Catalog:
    """Return the real images that a training of an arm learns from."""
    if not arm.real_defects:
        return train.labelled(GOOD)
    if arm.spare is not None:
        return train.with_entries([*train, *arm.spare])
    return train if arm.groups is None else fewer(train, arm.groups, seed)


def with_fewer(arms: Mapping[str, Arm], settings: ProofSettings, train: Catalog) -> dict[str, Arm]:
    """Return the arms, before them the base arm on each number of `settings.fewer_groups` that leaves a group out."""
    most = max((len(_groups(train, label)) for label in train.defect_labels), default=0)
    counts = sorted({count for count in settings.fewer_groups if count < most})
    return {f"{settings.base}@{count}": replace(arms[settings.base], groups=count) for count in counts} | dict(arms)


def ceilings(arms: Mapping[str, Arm], train: Catalog) -> dict[str, float]:
    """Return the groups per class of the arms that learn from more real defects than the training part holds."""
    return {name: groups_per_class(real_part(train, arm, 0)) for name, arm in arms.items() if arm.spare is not None}


def curve_groups(arms: Mapping[str, Arm], settings: ProofSettings, train: Catalog) -> dict[str, float]:
    """Return the groups per class, mean over seeds, that the base arm and those on fewer groups learn from."""
    return {
        name: float(np.mean([groups_per_class(real_part(train, arm, seed)) for seed in range(settings.seeds)]))
        for name, arm in arms.items()
        if name == settings.base or arm.groups is not None
    }
