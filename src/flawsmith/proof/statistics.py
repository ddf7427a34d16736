"""From finished units of work to means, intervals and differences: bootstrap over test groups and seeds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.rng import stream
from flawsmith.metrics import classes, curves
from flawsmith.metrics.intervals import paired_difference, percentile_interval, resampling_weights
from flawsmith.proof.tally import ClassPixels

IMAGE_METRICS = ("image_auroc", "image_ap", "image_f1_max", "recall_at_fpr")
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_macro_ap", "pixel_f1_max", "pixel_pro")
CLASS_METRICS = ("accuracy", "macro_f1")
METRICS = (*IMAGE_METRICS, *PIXEL_METRICS, *CLASS_METRICS)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Unit:
    """One trained inspector's results on the test images: an arm, a seed, the numbers and what intervals need.

    Counts are per test group: images (G, U) over their distinct scores, pixels (G, B) over coarse score bins; the
    groups are the same, in the same order, in every unit. `overlap` (G, B) is the summed share of each defect region
    per bin and `regions` (G,) how many there are. `defective` (G,) says which groups hold a defect; `false_alarm_rate`
    is the share of good images at which recall is read. `confusion` (G, K, K) counts images by true class and class
    named, and is None or empty where none was; pixel counts are 0 where none was marked, and `class_pixels`, the defect
    pixels of each class, are then none. What they give is then NaN.
    """

    arm: str
    seed: int
    metrics: Mapping[str, float]
    image_counts: tuple[NDArray[Any], NDArray[Any]]
    pixel_counts: tuple[NDArray[Any], NDArray[Any]]
    overlap: NDArray[Any]
    regions: NDArray[Any]
    defective: NDArray[np.bool_]
    false_alarm_rate: float
    confusion: NDArray[Any] | None = None
    class_pixels: Sequence[ClassPixels] = ()

    def resampled(self, weights: NDArray[np.int64]) -> dict[str, Values]:
        """Return each metric (draws,) on resamples given as group weights (draws, G)."""
        times = weights.astype(np.float64)
        image = [times @ counts for counts in self.image_counts]
        pixel = [times @ counts for counts in self.pixel_counts]
        of_class = [times[:, each.groups] @ each.counts for each in self.class_pixels]
        named = np.zeros((times.shape[1], 0, 0)) if self.confusion is None else self.confusion
        confusion = np.einsum("dg,gij->dij", times, named)
        return {
            "image_auroc": curves.auroc(image[0], image[1]),
            "image_ap": curves.average_precision(image[0], image[1]),
            "image_f1_max": curves.f1_max(image[0], image[1]),
            "recall_at_fpr": curves.recall_at_fpr(image[0], image[1], self.false_alarm_rate),
            "pixel_auroc": curves.auroc(pixel[0], pixel[1]),
            "pixel_ap": curves.average_precision(pixel[0], pixel[1]),
            "pixel_macro_ap": classes.macro_average_precision(of_class, pixel[1]),
            "pixel_f1_max": curves.f1_max(pixel[0], pixel[1]),
            "pixel_pro": curves.pro(times @ self.overlap, pixel[1], times @ self.regions),
            "accuracy": classes.accuracy(confusion),
            "macro_f1": classes.macro(classes.f1(confusion)),
        }


@dataclass(frozen=True)
class Draws:
    """Bootstrap values of every arm on the same resamples of groups and seeds: arm -> metric -> (draws,)."""

    values: Mapping[str, Mapping[str, Values]]


def draw(units: Sequence[Unit], draws: int, seed: int = 0) -> Draws:
    """Resample test groups (with and without defects apart) and seeds, and compute every arm's mean on each resample.

    All arms see the same resamples, so differences between them are paired.
    """
    weights = resampling_weights(units[0].defective.tolist(), draws, stream(seed, "proof", "groups"))
    seeds = sorted({unit.seed for unit in units})
    picks = stream(seed, "proof", "seeds").integers(len(seeds), size=(draws, len(seeds)))
    found: dict[str, dict[str, Values]] = {}
    for arm in dict.fromkeys(unit.arm for unit in units):
        mine = sorted((unit for unit in units if unit.arm == arm), key=lambda unit: unit.seed)
        each = [unit.resampled(weights) for unit in mine]
        found[arm] = {
            name: np.take_along_axis(np.stack([one[name] for one in each], 1), picks, 1).mean(1) for name in METRICS
        }
    return Draws(found)


def summary(units: Sequence[Unit], draws: Draws) -> list[dict[str, Any]]:
    """Return, per arm, each metric's mean and standard deviation over seeds and its 95 % interval."""
    rows = []
    for arm, values in draws.values.items():
        mine = [unit for unit in units if unit.arm == arm]
        metrics = {}
        for name in METRICS:
            numbers = np.array([unit.metrics[name] for unit in mine])
            low, high = percentile_interval(values[name])
            spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
            metrics[name] = {"mean": float(numbers.mean()), "sd": spread, "low": low, "high": high}
        rows.append({"arm": arm, "seeds": len(mine), "metrics": metrics})
    return rows


def difference(rows: Sequence[Mapping[str, Any]], draws: Draws, metric: str, ours: str, theirs: str) -> dict[str, Any]:
    """Return ours - theirs in one metric: the difference of the means and its paired 95 % interval."""
    means = {row["arm"]: row["metrics"][metric]["mean"] for row in rows}
    low, high = paired_difference(draws.values[ours][metric], draws.values[theirs][metric])
    mean = means[ours] - means[theirs]
    return {"metric": metric, "arm": ours, "other": theirs, "mean": mean, "low": low, "high": high}


def best_other(rows: Sequence[Mapping[str, Any]], metric: str, candidate: str) -> str:
    """Return the arm with the highest mean among all but the candidate."""
    others = [row for row in rows if row["arm"] != candidate]
    return str(max(others, key=lambda row: np.nan_to_num(row["metrics"][metric]["mean"], nan=-1.0))["arm"])
