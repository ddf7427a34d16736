"""The proof: equal training with and without synthetic images, judged on the sealed test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import read_json, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.registry import unknown
from flawsmith.proof import statistics
from flawsmith.proof.arms import Arm
from flawsmith.proof.asked import check_inspector
from flawsmith.proof.numbers import class_tables, plain
from flawsmith.proof.plan import Plan, unit_folder
from flawsmith.proof.plateau import has_plateaued
from flawsmith.proof.schema import SCHEMA_VERSION
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.shares import check_choosable
from flawsmith.proof.subsets import ceilings, curve_groups, with_fewer
from flawsmith.proof.verdict import judge, judged
from flawsmith.proof.work import RESULT, TIMING, read_unit
from flawsmith.proof.worth import worth_of

RESULTS = "results.json"


@dataclass(frozen=True)
class Proof:
    """What a proof found; `rows` hold arm, seed, the metrics, steps, seconds and whether the arm had converged.

    `results` is the content of results.json; seconds are kept apart (they differ between equal runs).
    """

    results: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    @property
    def verdict(self) -> Mapping[str, Any]:
        """The verdict: a word (helps, no evidence, hurts), a sentence, and the word per metric."""
        found: Mapping[str, Any] = self.results["verdict"]
        return found


def prove(
    train: Catalog,
    val: Catalog,
    split_folder: Path,
    arms: Mapping[str, Arm],
    settings: ProofSettings,
    folder: Path,
    *,
    progress: Progress = silent,
    earlier: Path | None = None,
) -> Proof:
    """Train every arm with every seed on `train` plus the arm's synthetic images and compare them on the test split.

    `arms` maps a name to what that arm learns from; arms on real images alone that learn from `settings.fewer_groups`
    are added. Called again on the same folder after an interruption, it resumes unit by unit and ends with the same
    results.json. What was trained on the same data with the same settings in `earlier`, the folder of another proof, is
    taken from there. Raises LeakError if a test image, or another picture of the same part, was used for learning.
    """
    check_arms(arms, settings)
    check_choosable(val, settings)
    arms = with_fewer(arms, settings, train)
    plan = Plan(train, val, split_folder, arms, settings, folder, earlier)
    steps, planned = plan.steps(progress)
    sweeps = plan.choose_shares(steps, progress)
    plan.run([plan.job(arm, seed, steps, True) for arm in arms for seed in range(settings.seeds)], progress)
    facts = {
        "steps": steps,
        "plan": planned,
        "test": plan.counts,
        "sets": {name: len(arm.sets) for name, arm in arms.items()},
        "groups_per_class": curve_groups(arms, settings, train),
        "ceilings": ceilings(arms, train),
        "shares": {
            arm: {"chosen": sweep.chosen, "tried": {f"{share:g}": value for share, value in sweep.tried.items()}}
            for arm, sweep in sweeps.items()
        },
    }
    results = summarise(folder, list(arms), settings, facts)
    write_json(folder / RESULTS, results)
    return read_proof(folder)


def read_proof(folder: Path) -> Proof:
    """Read a finished proof."""
    results = read_json(folder / RESULTS)
    rows = [{**row, "seconds": _seconds(_unit(folder, results, row["arm"], row["seed"]))} for row in results["rows"]]
    return Proof(results, rows)


def check_arms(arms: Mapping[str, Arm], settings: ProofSettings) -> None:
    """Raise SettingsError where arms or settings cannot make a comparison."""
    if len(arms) < 2:
        raise SettingsError(f"a proof compares at least two arms, got {list(arms)}; add one without synthetic images")
    for name, wanted in (("base", settings.base), ("candidate", settings.candidate or settings.base)):
        if wanted not in arms:
            raise SettingsError(f"{name}: {unknown('arm', wanted, arms)}")
    if candidate_of(arms, settings) == settings.base:
        raise SettingsError(f"candidate and base are both {settings.base!r}: name another candidate")
    for arm in arms.values():
        check_inspector(settings, arm.options)
    if settings.min_steps > settings.max_steps:
        raise SettingsError(f"min_steps {settings.min_steps} is above max_steps {settings.max_steps}")
    for name, arm in arms.items():
        if len(arm.sets) > settings.seeds:
            raise SettingsError(
                f"the arm {name!r} has {len(arm.sets)} sets of synthetic images, but only {settings.seeds} trainings "
                "to learn from them: raise proof.seeds, or give fewer sets"
            )
    _check_roles(arms, settings)


def _check_roles(arms: Mapping[str, Arm], settings: ProofSettings) -> None:
    if not arms[settings.base].real_defects:
        raise SettingsError(f"the base arm {settings.base!r} learns from no real defect: name another one")
    for role, name in (("base", settings.base), ("candidate", candidate_of(arms, settings))):
        if arms[name].spare is not None:
            raise SettingsError(f"the {role} {name!r} learns from spare defects, it is a ceiling: name another arm")


def candidate_of(arms: Mapping[str, Any] | Sequence[str], settings: ProofSettings) -> str:
    """Return the arm the verdict is about."""
    return settings.candidate or list(arms)[-1]


def summarise(folder: Path, arms: Sequence[str], settings: ProofSettings, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of results.json from the finished units in `folder`.

    Arms on fewer or more groups are a ruler, no alternatives: the verdict leaves them out.
    """
    places = [_unit(folder, facts, arm, seed) for arm in arms for seed in range(settings.seeds)]
    raw = [read_json(place / RESULT) for place in places]
    units = [read_unit(place) for place in places]
    rows = [_row(each, settings) for each in raw]
    draws = statistics.draw(units, settings.bootstrap)
    table = statistics.summary(units, draws)
    candidate = candidate_of(arms, settings)
    ruler = [arm for arm in (*facts["groups_per_class"], *facts["ceilings"]) if arm != settings.base]
    rivals, trained = ([row for row in each if row["arm"] not in ruler] for each in (table, rows))
    best, base = {}, {}
    for metric in judged(rivals):
        rival = statistics.best_other(rivals, metric, candidate)
        best[metric] = statistics.difference(table, draws, metric, candidate, rival)
        base[metric] = statistics.difference(table, draws, metric, candidate, settings.base)
    others = [
        statistics.difference(table, draws, metric, arm, settings.base)
        for arm in arms
        if arm != settings.base
        for metric in statistics.METRICS
    ]
    found = {
        "schema_version": SCHEMA_VERSION,
        **facts,
        "rows": rows,
        "arms": table,
        "against_best": best,
        "against_base": others,
        "verdict": judge(candidate, best, base, _all_converged(trained), facts["sets"][candidate]),
        "worth": worth_of(table, draws, facts["groups_per_class"], candidate),
        "curves": {f"{each['arm']}-{each['seed']}": each["curve"] for each in raw},
        "false_alarm_rate": settings.false_alarm_rate,
        "recall_at_fpr": _class_means(raw, arms, "recall"),
        "pixel_ap_of_class": _class_means(raw, arms, "pixel_ap_of_class"),
        "classes": class_tables(raw, arms),
    }
    return _jsonable(found)  # type: ignore[no-any-return]


def _row(result: Mapping[str, Any], settings: ProofSettings) -> dict[str, Any]:
    converged = has_plateaued(result["curve"], settings.patience, settings.min_gain)
    plain_part = {name: result[name] for name in ("arm", "seed", "steps")}
    return {**plain_part, **dict.fromkeys(statistics.METRICS), **result["metrics"], "converged": converged}


def _all_converged(rows: Sequence[Mapping[str, Any]]) -> bool | None:
    found = [row["converged"] for row in rows]
    return None if None in found else all(found)


def _class_means(raw: Sequence[Mapping[str, Any]], arms: Sequence[str], name: str) -> dict[str, dict[str, float]]:
    """Return per arm the mean over seeds of a number that each unit has per class."""
    return {
        arm: {
            label: float(np.mean([each[name][label] or 0.0 for each in raw if each["arm"] == arm]))
            for label in raw[0][name]
        }
        for arm in arms
    }


def _unit(folder: Path, facts: Mapping[str, Any], arm: str, seed: int) -> Path:
    return unit_folder(folder, arm, seed, facts["shares"].get(arm, {}).get("chosen"))


def _seconds(unit: Path) -> float | None:
    path = unit / TIMING
    return float(read_json(path)["seconds"]) if path.is_file() else None


def _jsonable(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _jsonable(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_jsonable(value) for value in data]
    return plain(data) if isinstance(data, float) else data
