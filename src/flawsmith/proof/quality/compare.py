"""Two runs' quality side by side: only where one network looked at crops cut the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json

MUST_AGREE = ("net", "crops")
NUMBERS = (
    ("kid", ("sets", "synthetic", "kid")),
    ("kid_error", ("sets", "synthetic", "kid_error")),
    ("fid", ("sets", "synthetic", "fid")),
    ("precision", ("sets", "synthetic", "precision")),
    ("recall", ("sets", "synthetic", "recall")),
    ("lpips_to_nearest", ("pictures", "synthetic", "lpips_to_nearest")),
    ("ic_lpips", ("pictures", "synthetic", "ic_lpips")),
)


def read_quality(path: Path) -> dict[str, Any]:
    """Read a quality.json. Raises DataError where it is something else."""
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): run the stage quality first") from None
    if not isinstance(found, dict) or "net" not in found:
        raise DataError(f"{path} is not what the stage quality writes: give its quality.json")
    return found


def compare_quality(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row per class (and "all") that both have: each number as a pair (one's, other's).

    `one` and `other` are contents of quality.json. Raises DataError where different networks, or differently cut crops,
    stand behind the numbers: FID 12 of one network says nothing beside FID 12 of another.
    """
    if one["net"] is None or other["net"] is None:
        raise DataError("one of the two was made with quality.net=none: there are no numbers to compare")
    for name in MUST_AGREE:
        differing = sorted(key for key in {*one[name], *other[name]} if one[name].get(key) != other[name].get(key))
        if differing:
            said = "; ".join(f"{key} {one[name].get(key)!r} and {other[name].get(key)!r}" for key in differing)
            raise DataError(
                f"numbers of different networks or crops cannot be compared: {name} differs in {said}. Make both with "
                "one network (quality.weights=OTHER_RUN/quality/net/features.safetensors for an in-domain one)"
            )
    pairs = [("all", one["all"], other["all"])]
    pairs += [
        (label, row, other["classes"][label]) for label, row in one["classes"].items() if label in other["classes"]
    ]
    return [
        {"class": label, **{name: (_at(row, path), _at(beside, path)) for name, path in NUMBERS}}
        for label, row, beside in pairs
    ]


def _at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = row.get(name) if isinstance(row, Mapping) else None
    return row
