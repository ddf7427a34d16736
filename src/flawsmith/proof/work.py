"""One unit of work: train one inspector (an arm, a seed), look at validation on the way, at the test split at the end.

A unit is a folder. It is done when it holds `result.json`; until then it can be interrupted anywhere and called again.
`python -m flawsmith.proof.work JOB.json` runs one in its own process.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from flawsmith.core.files import read_json, write_json, written_whole
from flawsmith.core.protocols import Inspector, Progress
from flawsmith.core.records import GOOD, Catalog, Entry, Findings
from flawsmith.core.rng import derive_seed
from flawsmith.data.loading import load_sample
from flawsmith.data.sealed import open_test
from flawsmith.inspectors import INSPECTORS
from flawsmith.metrics.inspection import PixelCounts, average_precision, count_pixels
from flawsmith.proof import numbers
from flawsmith.proof.plateau import Look
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.statistics import METRICS, Unit
from flawsmith.proof.tally import Tally, class_pixels

RESULT, CURVE, COUNTS, TIMING, TOKEN = "result.json", "curve.json", "counts.safetensors", "timing.json", ".token.json"
TRAINING, MODEL = "training", "model"
KEPT_VERSION = 2
"""Rises when `read_unit` needs what earlier versions did not keep: their units are then trained again."""


@dataclass(frozen=True)
class Job:
    """What one process is asked to do: bring a unit to `steps` steps and, if `finish`, test it.

    `token` names everything that decides the unit's result but the number of steps. Catalogs are JSON data.
    """

    arm: str
    seed: int
    steps: int
    finish: bool
    folder: str
    token: str
    train: Mapping[str, Any]
    synthetic: Mapping[str, Any] | None
    val: Mapping[str, Any]
    split_folder: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The unit's name, unique among arms and seeds."""
        return f"{self.arm}-{self.seed}"


@dataclass(frozen=True)
class Seen:
    """What an inspector said of one image: its score, its pixels counted (None where no mask is known or no pixel
    marked), and the defect class it would be given (None from an inspector that tells none apart).
    """

    entry: Entry
    score: float
    pixels: PixelCounts | None
    named: str | None = None

    @property
    def row(self) -> dict[str, Any]:
        """What is written of it, and what `numbers` wants to know."""
        entry = self.entry
        return {"id": entry.id, "group": entry.group, "label": entry.label, "score": self.score, "named": self.named}


def run(job: Job, progress: Progress, threads: int = 1) -> None:
    """Do a job, resuming what the unit's folder holds. The number of threads is part of the result: keep it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _run(job, progress)
    finally:
        torch.set_num_threads(before)


def is_done(job: Job, folder: Path | None = None) -> bool:
    """Whether the unit, or what lies in `folder`, has been tested by the same token and after the same steps."""
    path = (folder or Path(job.folder)) / RESULT
    if not path.is_file():
        return False
    result = read_json(path)
    return bool(result["token"] == job.token and result["steps"] == job.steps)


def take_over(job: Job, proof: Path) -> None:
    """Copy the unit from an earlier proof's folder if it was finished there as this job would finish it."""
    folder = Path(job.folder)
    done = proof / folder.parent.name / folder.name
    if not is_done(job) and is_done(job, done):
        beside = folder.with_name(f".{folder.name}.partial")
        for stale in (beside, folder):
            shutil.rmtree(stale, ignore_errors=True)
        shutil.copytree(done, beside)
        beside.rename(folder)


def _run(job: Job, progress: Progress) -> None:
    began, folder = time.perf_counter(), Path(job.folder)
    if is_done(job):
        return
    _claim(folder, job)
    if not job.finish and _reached(_curve(folder)) >= job.steps:
        return
    settings = ProofSettings.model_validate(job.settings)
    inspector = _train(job, settings, progress)
    if job.finish:
        inspector.save(folder / MODEL)
        _test(job, inspector, settings)
    spent = read_json(folder / TIMING)["seconds"] if (folder / TIMING).is_file() else 0.0
    write_json(folder / TIMING, {"seconds": round(spent + time.perf_counter() - began, 2)})
    if job.finish:
        shutil.rmtree(folder / TRAINING, ignore_errors=True)


def _claim(folder: Path, job: Job) -> None:
    """Empty the folder unless what it holds was begun by the same token, and has not gone too far to be finished."""
    path = folder / TOKEN
    too_far = job.finish and _reached(_curve(folder)) > job.steps
    if path.is_file() and read_json(path) == job.token and not too_far:
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_json(path, job.token)


def _curve(folder: Path) -> list[Look]:
    return read_json(folder / CURVE) if (folder / CURVE).is_file() else []


def _train(job: Job, settings: ProofSettings, progress: Progress) -> Any:
    folder, family = Path(job.folder), INSPECTORS[settings.inspector]
    shares = {"synthetic_share": settings.synthetic_share, "cycle": settings.check_every}
    options = {**shares, **settings.inspector_options, "steps": job.steps}
    synthetic = Catalog.from_json(job.synthetic) if job.synthetic else None
    seed = derive_seed(job.seed, "proof", "unit")
    course = family.course(Catalog.from_json(job.train), synthetic, family.settings(**options), seed=seed)
    curve = _curve(folder)
    inspector = None
    for step in looks(job.steps, settings.check_every):
        if step < job.steps and curve and step <= _reached(curve):
            continue
        inspector = course.advance(step, folder / TRAINING, progress=progress, task=f"train {job.name}")
        if step > _reached(curve):
            curve = [*curve, look(inspector, checked(Catalog.from_json(job.val), settings.good_checked), step)]
            write_json(folder / CURVE, curve)
    return inspector


def _reached(curve: Sequence[Look]) -> float:
    return curve[-1]["step"] or 0 if curve else 0


def looks(steps: int, every: int) -> list[int]:
    """Return the steps after which the validation images are looked at: the last step is always one.

    >>> looks(500, 200)
    [200, 400, 500]
    """
    return [*range(every, steps, every), steps]


def checked(val: Catalog, good: int) -> list[Entry]:
    """Return the validation entries to look at: every defective one and at most `good` good ones, evenly picked."""
    clean = [entry for entry in val if entry.label == GOOD]
    places = np.unique(np.linspace(0, len(clean) - 1, min(good, len(clean))).round().astype(int))
    return [entry for entry in val if entry.label != GOOD] + [clean[place] for place in places]


def look(inspector: Inspector, entries: Iterable[Entry], step: int) -> Look:
    """Return the validation metrics after `step` steps, None where undefined."""
    images, pixels = [], PixelCounts.empty()
    for seen in inspected(inspector, entries):
        images.append(seen.row)
        pixels = pixels + seen.pixels if seen.pixels else pixels
    return {
        "step": step,
        "image_ap": numbers.plain(average_precision(*numbers.labels_and_scores(images))) if images else None,
        "pixel_ap": numbers.plain(pixels.average_precision),
        "macro_f1": numbers.class_numbers(images, numbers.threshold_of(images))["macro_f1"],
    }


def inspected(inspector: Inspector, entries: Iterable[Entry]) -> Iterable[Seen]:
    """Inspect images one by one. A defective image without a mask says nothing about pixels."""
    for entry in entries:
        sample = load_sample(entry)
        findings = inspector.inspect([sample.image])
        known, maps = entry.label == GOOD or bool(sample.defects), findings.pixel_scores
        pixels = count_pixels(sample.mask, maps[0]) if known and maps is not None else None
        yield Seen(entry, float(findings.image_scores[0]), pixels, likeliest_defect(findings))


def likeliest_defect(findings: Findings) -> str | None:
    """Return the defect class that the first image most probably has, or None where none are told apart."""
    if findings.class_probabilities is None or len(findings.classes) < 2:
        return None
    return findings.classes[1 + int(findings.class_probabilities[0, 1:].argmax())]


def _test(job: Job, inspector: Inspector, settings: ProofSettings) -> None:
    folder, test = Path(job.folder), open_test(Path(job.split_folder))
    tally, images = Tally(sorted({entry.group for entry in test})), []
    for seen in inspected(inspector, test):
        images.append(seen.row)
        if seen.pixels:
            tally.add(seen.entry, seen.pixels)
    threshold = _threshold(job, inspector, settings) if images[0]["named"] is not None else None
    with written_whole(folder / COUNTS) as beside:
        save_file(tally.tensors(), beside)
    write_json(
        folder / RESULT,
        {
            "token": job.token,
            "arm": job.arm,
            "seed": job.seed,
            "steps": job.steps,
            "metrics": numbers.measured(images, tally, settings.false_alarm_rate, threshold),
            "recall": numbers.recalls(images, settings.false_alarm_rate),
            "pixel_ap_of_class": numbers.pixel_precisions(tally),
            "false_alarm_rate": settings.false_alarm_rate,
            "threshold": threshold,
            "curve": read_json(folder / CURVE),
            "images": images,
        },
    )


def _threshold(job: Job, inspector: Inspector, settings: ProofSettings) -> float | None:
    """Return the score from which an image counts as defective: chosen on validation, never on the test."""
    entries = checked(Catalog.from_json(job.val), settings.good_checked)
    return numbers.threshold_of([seen.row for seen in inspected(inspector, entries)])


def read_unit(folder: Path) -> Unit:
    """Read a finished unit for the statistics."""
    result, pixels = read_json(folder / RESULT), load_file(folder / COUNTS)
    images = result["images"]
    labels, scores = numbers.labels_and_scores(images)
    groups, place = np.unique([image["group"] for image in images], return_inverse=True)
    distinct, bins = np.unique(scores, return_inverse=True)
    counts = np.zeros((2, len(groups), len(distinct)), np.int64)
    np.add.at(counts, (np.where(labels, 0, 1), place, bins), 1)
    known = {name: value for name, value in result["metrics"].items() if value is not None}
    return Unit(
        arm=result["arm"],
        seed=result["seed"],
        metrics={name: known.get(name, float("nan")) for name in METRICS},
        image_counts=(counts[0], counts[1]),
        pixel_counts=(pixels["positive"], pixels["negative"]),
        overlap=pixels["overlap"],
        regions=pixels["regions"],
        defective=counts[0].sum(1) > 0,
        class_pixels=class_pixels(pixels),
        false_alarm_rate=result["false_alarm_rate"],
        confusion=numbers.confusions(images, result.get("threshold"), numbers.classes_in(images)),
    )


def write_job(job: Job, path: Path) -> None:
    """Write a job for another process."""
    write_json(path, asdict(job))


def main(arguments: Sequence[str]) -> None:
    """Run the job in the file named, saying progress as lines of task, done, total and note between tabs."""

    def say(task: str, done: int, total: int, note: str = "") -> None:
        print("progress", task, done, total, note, sep="\t", flush=True)

    run(Job(**read_json(Path(arguments[0]))), say)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: two must never work on one unit."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    main(sys.argv[1:])
