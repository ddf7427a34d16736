"""What is trained for a proof: checked for leaks first, cut into jobs, and for how many steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_json, write_json
from flawsmith.core.protocols import Progress
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.loading import catalog_digest
from flawsmith.data.sealed import open_test
from flawsmith.proof import leaks
from flawsmith.proof.arms import Arm
from flawsmith.proof.asked import given_files
from flawsmith.proof.plateau import Look, has_plateaued
from flawsmith.proof.pool import run_jobs
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.shares import Sweep, reached, trials
from flawsmith.proof.subsets import real_part
from flawsmith.proof.work import CURVE, KEPT_VERSION, Job, take_over

PLAN, UNITS = "plan.json", "units"
NO_RESULT = (
    *("workers", "bootstrap", "seeds", "candidate", "fewer_groups", "shares"),
    *("steps", "min_steps", "max_steps", "patience", "min_gain"),
)
"""Settings that do not change what a single unit learns in a given number of steps."""


class Plan:
    """What is to be trained: checked for leaks once, then cut into jobs."""

    def __init__(
        self,
        train: Catalog,
        val: Catalog,
        split_folder: Path,
        arms: Mapping[str, Arm],
        settings: ProofSettings,
        folder: Path,
        earlier: Path | None = None,
    ) -> None:
        test = open_test(split_folder)
        _check_test(test)
        made = [each for arm in arms.values() for each in arm.sets]
        spare = {entry.image: entry for arm in arms.values() for entry in arm.spare or ()}
        real = (*train, *val, *spare.values())
        learnt = {entry.image: entry for entry in (*real, *chain.from_iterable(made))}
        backgrounds = {name: each for catalog in made for name, each in leaks.background_hashes(catalog).items()}
        leaks.check_hashes({**leaks.image_hashes(learnt.values()), **backgrounds}, leaks.image_hashes(test))
        leaks.check_groups(real, test)
        if settings.refuse_lookalikes:
            synthetic = {entry.image: entry for each in made for entry in each}
            leaks.check_lookalikes(real, synthetic.values(), test)
        self.train, self.val, self.split_folder = train, val, split_folder
        self.arms, self.settings, self.folder, self.earlier = arms, settings, folder, earlier
        self.counts = _counts(test)
        self._digests = [catalog_digest(each) for each in (train, val, test)]
        self._files = {name: given_files(settings, arm.options) for name, arm in arms.items()}
        self._made = {name: [catalog_digest(each) for each in arm.sets] for name, arm in arms.items()}

    @property
    def workers(self) -> int:
        """How many trainings run at once."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.settings.workers or cores

    def job(self, name: str, seed: int, steps: int, finish: bool, arm: Arm | None = None) -> Job:
        """Return the job that brings one unit of an arm, or of what is tried in its place, to `steps` steps."""
        arm = arm or self.arms[name]
        shared = {} if arm.share is None else {"synthetic_share": arm.share}
        settings = self.settings.with_inspector_options({**arm.options, **shared})
        options = settings.model_dump(mode="json", exclude=set(NO_RESULT))
        amount: list[Any] = [] if arm.groups is None else [arm.groups]
        amount += [] if arm.spare is None else [catalog_digest(arm.spare)]
        files = [self._files[name]] if self._files[name] else []
        turn = seed % len(arm.sets) if arm.sets else 0
        synthetic, learnt = (arm.sets[turn], self._made[name][turn]) if arm.sets else (None, "")
        token = sha256_json(
            [KEPT_VERSION, name, seed, options, arm.real_defects, self._digests, learnt, *amount, *files]
        )
        return Job(
            arm=name,
            seed=seed,
            steps=steps,
            finish=finish,
            folder=str(unit_folder(self.folder, name, seed, arm.share)),
            token=token,
            train=real_part(self.train, arm, seed).to_json(),
            synthetic=synthetic.to_json() if synthetic else None,
            val=self.val.to_json(),
            split_folder=str(self.split_folder),
            settings=settings.model_dump(mode="json"),
        )

    def run(self, jobs: Sequence[Job], progress: Progress) -> None:
        """Do jobs; what the earlier proof has finished is copied from there."""
        if self.earlier:
            for job in jobs:
                take_over(job, self.earlier)
        run_jobs(jobs, self.workers, progress)

    def choose_shares(self, steps: int, progress: Progress) -> dict[str, Sweep]:
        """Return what `settings.shares` brought for each arm with synthetic defects; the arms then have the best.

        What was trained with the share that is chosen is not trained again.
        """
        tried = trials(self.arms, self.settings)
        seeds = range(min(self.settings.plan_seeds, self.settings.seeds))
        jobs = {
            (name, share): [self.job(name, seed, steps, False, arm) for seed in seeds]
            for name, arms in tried.items()
            for share, arm in arms.items()
        }
        self.run([job for each in jobs.values() for job in each], progress)
        found = {key: reached([read_json(Path(job.folder) / CURVE) for job in each]) for key, each in jobs.items()}
        sweeps = {name: Sweep({share: found[name, share] for share in arms}) for name, arms in tried.items()}
        self.arms = {**self.arms, **{name: tried[name][sweep.chosen] for name, sweep in sweeps.items()}}
        return sweeps

    def steps(self, progress: Progress) -> tuple[int, dict[str, Any]]:
        """Return how many steps every arm takes, and why: the settings say so, or the base arm has converged."""
        settings = self.settings
        if settings.steps:
            return settings.steps, {"reason": "set", "curve": []}
        seeds = range(min(settings.plan_seeds, settings.seeds))
        without = {
            "workers",
            "bootstrap",
            "candidate",
            "fewer_groups",
            "synthetic_share",
            "shares",
            "seeds",
            "plan_seeds",
        }
        options = settings.model_dump(mode="json", exclude=without)
        token = sha256_json([self.job(settings.base, 0, 0, False).token, options, len(seeds)])
        for path in (folder / PLAN for folder in (self.folder, self.earlier) if folder):
            if path.is_file() and read_json(path)["token"] == token:
                write_json(self.folder / PLAN, read_json(path))
                return int(read_json(path)["steps"]), _without_token(read_json(path))
        curve: list[Look] = []
        for steps in _rounds(settings):
            jobs = [self.job(settings.base, seed, steps, False) for seed in seeds]
            self.run(jobs, progress)
            curve = mean_curve([read_json(Path(job.folder) / CURVE) for job in jobs], steps)
            if steps >= settings.min_steps and has_plateaued(curve, settings.patience, settings.min_gain):
                break
        converged = has_plateaued(curve, settings.patience, settings.min_gain)
        plan = {"token": token, "steps": steps, "reason": "converged" if converged else "limit", "curve": curve}
        write_json(self.folder / PLAN, plan)
        return steps, _without_token(plan)


def unit_folder(folder: Path, arm: str, seed: int, share: float | None) -> Path:
    """Return the folder of one training of an arm in a proof's folder; `share` is the one chosen for it, if any."""
    tried = "" if share is None else f"~{share:g}"
    return folder / UNITS / f"{arm}{tried}-{seed}"


def _without_token(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if name != "token"}


def _rounds(settings: ProofSettings) -> list[int]:
    """Return the steps after which the base arm is asked whether it has converged."""
    every = settings.check_every
    first = min(settings.max_steps, -(-settings.min_steps // every) * every)
    return [*range(first, settings.max_steps, every), settings.max_steps]


def mean_curve(curves: Sequence[Sequence[Look]], steps: int) -> list[Look]:
    """Return the mean over seeds of validation curves up to `steps`."""
    found: list[Look] = []
    for looks in zip(*curves, strict=False):
        if (looks[0]["step"] or 0) <= steps:
            means: dict[str, float | None] = {"step": looks[0]["step"]}
            for name in [each for each in looks[0] if each != "step"]:
                values = [value for each in looks if (value := each.get(name)) is not None]
                means[name] = float(np.mean(values)) if values else None
            found.append(means)
    return found


def _check_test(test: Catalog) -> None:
    labels = {entry.label == GOOD for entry in test}
    if labels != {True, False}:
        kind = "defective" if labels == {True} else "good" if labels == {False} else "any"
        raise DataError(f"the sealed test split has no {kind} image: split so that it holds good and defective ones")


def _counts(test: Sequence[Entry] | Catalog) -> dict[str, int]:
    return {
        "images": len(test),
        "good": sum(entry.label == GOOD for entry in test),
        "groups": len({entry.group for entry in test}),
    }
