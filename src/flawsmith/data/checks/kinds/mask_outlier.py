"""mask_outlier: one group whose masks are of another order of size than those of all other groups of the class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flawsmith.core.records import Entry
from flawsmith.core.standing_alone import standing_alone
from flawsmith.data.checks.facts import measured_masks
from flawsmith.data.checks.kinds.full_mask import MOST_SHARE
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("mask_outlier")
def mask_outlier(seen: Survey) -> Iterator[Problem]:
    """Yield the group, with its files, whose share of the picture under masks stands alone in its class."""
    for label, groups in _shares(seen).items():
        areas = {group: [share for _, share in rows] for group, rows in groups.items()}
        for group, times in standing_alone(areas).items():
            first, *others = (entry.image for entry, _ in groups[group])
            text = f"the masks of {label!r} in group {group!r} are {times:.0f} times as large as usual in the class"
            advice = (
                "look whether they cover more than the defect; new defects do not get their shape (kit.masks.alone)"
            )
            yield Problem(first, "mask_outlier", f"{text}: {advice}", "warning", tuple(others))


def _shares(seen: Survey) -> Mapping[str, Mapping[str, list[tuple[Entry, float]]]]:
    """Return the images and the shares of the picture that their masks select, by class and group.

    Masks of the whole picture are another kind's.
    """
    found: dict[str, dict[str, list[tuple[Entry, float]]]] = {}
    for entry, facts in seen:
        share = sum(mask.share for _, mask in measured_masks(entry, facts))
        if 0 < share <= MOST_SHARE:
            found.setdefault(entry.label, {}).setdefault(entry.group, []).append((entry, share))
    return found
