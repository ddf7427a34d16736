"""Training, validation and sealed test parts: stratified by class, counted in groups, no group on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_json
from flawsmith.core.links import firsts
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.rng import stream
from flawsmith.core.settings import Settings
from flawsmith.data.loading import identical_files, image_sha256, save_catalog
from flawsmith.data.natural import natural_key

TRAIN_FILE, VAL_FILE, TEST_FILE, SPARE_FILE = "train.json", "val.json", "sealed/test.json", "spare.json"
"""Where `write_splits` puts the parts inside its folder."""


class SplitSettings(Settings):
    """How a data set is split. Shares and budgets count groups, not images."""

    method: Literal["grouped", "first_third"] = "grouped"
    """grouped: at random; first_third: the first third of each class by file number is for learning."""
    shots: int | None = Field(default=None, ge=1)
    """Most groups per defect class to learn from, those for validation included."""
    surplus: Literal["test", "spare"] = "test"
    """What becomes of groups that could be learnt from but go beyond `shots`: tested on, or set aside for the proof's
    arm on all real defects, its ceiling (`arms=[all_real]`). Then the test part is the same for all shots."""
    test_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of each class's groups that is sealed for the test (grouped only)."""
    val_share: float = Field(default=0.2, ge=0, lt=1)
    """Share of the groups to learn from that is kept for validation; 0 keeps none."""
    join_lookalikes: bool = True
    """Join groups that show one part: pictures more alike than different parts of this product are."""
    respect_declared: bool = False
    """Keep the split that the data set declares, for classes that have images on both of its sides."""
    seed: int = 0


@dataclass(frozen=True)
class Splits:
    """The parts of a data set; `spare` is what was set aside, if that was asked for."""

    train: Catalog
    val: Catalog
    test: Catalog
    spare: Catalog | None = None

    @property
    def parts(self) -> dict[str, Catalog]:
        """The parts by name."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return found if self.spare is None else {**found, "spare": self.spare}


@dataclass(frozen=True)
class _Unit:
    """Entries that must stay together: one group, or several that show one part. Its name is their group then."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(entry.label for entry in self.entries)


_SIDES = ("train", "val", "test", "spare")
_Sides = dict[str, str]
"""Unit name -> "train", "val", "test" or "spare"."""


def split(catalog: Catalog, settings: SplitSettings) -> Splits:
    """Split a catalog into training, validation and test parts.

    Groups never straddle, nor do identical files: groups that share one are joined, in the parts too. A
    group that shows several classes counts for each of them and is dealt with its rarest defect class. A class with at
    least 3 groups to learn from has at least 1 in the validation part, as long as that leaves every class one to train
    on. The same catalog, settings and seed give the same parts whatever the order of the entries. Raises DataError
    where a class has too few groups.
    """
    units = _units(catalog)
    sides = _deal(units, settings)
    _check(units, sides)
    _take_val(units, sides, settings)
    unit_of = {entry.id: unit.name for unit in units for entry in unit.entries}
    found = [replace(entry, group=unit_of[entry.id]) for entry in catalog]
    part = {side: catalog.with_entries(e for e in found if sides[e.group] == side) for side in _SIDES}
    if settings.surplus == "spare" and not part["spare"]:
        raise DataError(
            f"split.surplus=spare leaves nothing over: no class has groups to learn from beyond split.shots="
            f"{settings.shots}; ask for fewer shots, or leave surplus at test"
        )
    return Splits(part["train"], part["val"], part["test"], part["spare"] or None)


def summary(splits: Splits) -> list[dict[str, Any]]:
    """Return one row per class: its images and groups in each part, the good class first."""
    groups: dict[str, dict[str, list[str]]] = {}
    for name, part in splits.parts.items():
        for entry in part:
            groups.setdefault(entry.label, {each: [] for each in splits.parts})[name].append(entry.group)
    rows = []
    for label in sorted(groups, key=lambda label: (label != GOOD, label)):
        row: dict[str, Any] = {"class": label}
        for name, found in groups[label].items():
            row |= {f"{name}_images": len(found), f"{name}_groups": len(set(found))}
        rows.append(row)
    return rows


def write_splits(splits: Splits, folder: Path) -> None:
    """Write train.json, val.json, spare.json if there is such a part, and sealed/test.json with each image's SHA-256.

    Only `flawsmith.data.sealed` reads the last one again.
    """
    save_catalog(folder / TRAIN_FILE, splits.train)
    save_catalog(folder / VAL_FILE, splits.val)
    if splits.spare is not None:
        save_catalog(folder / SPARE_FILE, splits.spare)
    hashes = {entry.id: image_sha256(entry) for entry in splits.test}
    write_json(folder / TEST_FILE, {"catalog": splits.test.to_json(), "sha256": hashes})


def _units(catalog: Catalog) -> list[_Unit]:
    names = sorted({entry.group for entry in catalog})
    place = {name: number for number, name in enumerate(names)}
    ties = [(place[same[0].group], place[entry.group]) for same in identical_files(catalog) for entry in same]
    first = firsts(ties, len(names))
    members: dict[str, list[Entry]] = {}
    for entry in sorted(catalog, key=_file_order):
        members.setdefault(names[first[place[entry.group]]], []).append(entry)
    return [_Unit(name, tuple(entries)) for name, entries in members.items()]


def _file_order(entry: Entry) -> Any:
    return natural_key(entry.image.name), natural_key(entry.id)


def _rarest_first(units: Iterable[_Unit]) -> list[str]:
    # Good images are never rationed, so a group that shows a defect as well is dealt with the defect.
    counts = Counter(label for unit in units for label in unit.labels)
    return sorted(counts, key=lambda label: (label == GOOD, counts[label], label))


def _by_label(units: Iterable[_Unit]) -> dict[str, list[_Unit]]:
    found: dict[str, list[_Unit]] = {}
    for unit in units:
        for label in unit.labels:
            found.setdefault(label, []).append(unit)
    return found


def _ordered(units: Iterable[_Unit], label: str, settings: SplitSettings) -> list[_Unit]:
    """The units of a class in the order in which they are dealt."""
    found = list(units)
    if settings.method == "first_third":
        return sorted(found, key=lambda unit: min(_file_order(e) for e in unit.entries if e.label == label))
    found.sort(key=lambda unit: natural_key(unit.name))
    return [found[number] for number in stream(settings.seed, "split", label).permutation(len(found))]


def _deal(units: Sequence[_Unit], settings: SplitSettings) -> _Sides:
    declared = _declared(units, settings)
    sides: _Sides = {}
    learnt: Counter[str] = Counter()
    spared: Counter[str] = Counter()
    units_of = _by_label(units)
    for label in _rarest_first(units):
        showing = sorted(
            _ordered(units_of[label], label, settings), key=lambda unit: declared.get(unit.name) != "train"
        )
        most = _learn_count(label, showing, declared, settings)
        for unit in showing:
            if unit.name in sides:
                continue
            if learnt[label] + spared[label] >= most or declared.get(unit.name) == "test":
                sides[unit.name] = "test"
            elif _within_budget(unit, learnt, settings):
                sides[unit.name] = "train"
                learnt.update(unit.labels)
            else:
                sides[unit.name] = settings.surplus
                spared.update(unit.labels if settings.surplus == "spare" else ())
    return sides


def _within_budget(unit: _Unit, learnt: Mapping[str, int], settings: SplitSettings) -> bool:
    return settings.shots is None or all(learnt[label] < settings.shots for label in unit.labels - {GOOD})


def _learn_count(label: str, showing: Sequence[_Unit], declared: Mapping[str, str], settings: SplitSettings) -> int:
    count = len(showing)
    if all(unit.name in declared for unit in showing):
        count = sum(declared[unit.name] == "train" for unit in showing)
    elif settings.method == "first_third":
        count //= 3
    else:
        count -= max(1, round(count * settings.test_share))
    if count < 1:
        least = 3 if settings.method == "first_third" else 2
        raise DataError(
            f"class {label!r} has {len(showing)} group{'s' * (len(showing) != 1)}, a {settings.method} split needs at "
            f"least {least} (one to learn from, one to test on): add images, or leave the class out"
        )
    return count


def _declared(units: Iterable[_Unit], settings: SplitSettings) -> dict[str, str]:
    """The side that the data set itself declares, for units of those classes where it is kept."""
    units = list(units)
    kept = set(_kept_labels(units, settings))
    found: dict[str, str] = {}
    for unit in units:
        sides = {entry.split for entry in unit.entries if entry.label in kept and entry.split}
        if len(sides) > 1:
            raise DataError(
                f"group {unit.name!r} lies in the train and in the test folder of the data set, for example "
                f"{unit.entries[0].image} and {unit.entries[-1].image}: move it, or use method=grouped alone"
            )
        for side in sides:
            found[unit.name] = side
    return found


def _kept_labels(units: Sequence[_Unit], settings: SplitSettings) -> Iterator[str]:
    candidates = _rarest_first(units) if settings.respect_declared else [GOOD]
    if settings.method == "first_third" or settings.respect_declared:
        declared: dict[str, set[str | None]] = {}
        for entry in (entry for unit in units for entry in unit.entries):
            declared.setdefault(entry.label, set()).add(entry.split)
        yield from (label for label in candidates if {"train", "test"} <= declared.get(label, set()))


def _check(units: Sequence[_Unit], sides: _Sides) -> None:
    units_of = _by_label(units)
    for label in _rarest_first(units):
        counts = Counter(sides[unit.name] for unit in units_of[label])
        for side in ("train", "test"):
            if not counts[side]:
                raise DataError(
                    f"class {label!r} has {counts.total()} groups, but none is left for the {side} part, because its "
                    "groups also show other classes: raise shots, add groups of this class alone, or try another seed"
                )


def _take_val(units: Sequence[_Unit], sides: _Sides, settings: SplitSettings) -> None:
    """Move groups from the training to the validation part, from the end of each class's order."""
    left = Counter(label for unit in units if sides[unit.name] == "train" for label in unit.labels)
    rank = {label: place for place, label in enumerate(_rarest_first(units))}
    units_of = _by_label(units)
    for label in rank:
        learnt = [unit for unit in _ordered(units_of[label], label, settings) if sides[unit.name] in ("train", "val")]
        taken = sum(sides[unit.name] == "val" for unit in learnt)
        for unit in reversed(learnt):
            at_home = label == min(unit.labels, key=rank.__getitem__)
            # A group at home in a rarer class is spent only where this class would have no validation group at all.
            needed = _val_count(len(learnt), settings) if at_home else min(1, _val_count(len(learnt), settings))
            if taken < needed and sides[unit.name] == "train" and all(left[each] > 1 for each in unit.labels):
                sides[unit.name] = "val"
                left.subtract(unit.labels)
                taken += 1


def _val_count(count: int, settings: SplitSettings) -> int:
    if count < 3 or not settings.val_share:
        return 0
    return min(max(1, round(count * settings.val_share)), count - 1)
