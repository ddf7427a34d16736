from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score, roc_curve

from flawsmith.metrics.inspection import f1_max, recall_at_fpr
from flawsmith.proof.statistics import METRICS, Unit, best_other, difference, draw, summary
from flawsmith.proof.tally import ClassPixels

GROUPS = 30


def unit(arm, seed, shift, world_seed=0):
    """A unit whose 30 groups of one image each score higher by `shift` where they are defective."""
    rng = np.random.default_rng([world_seed, seed])
    defective = np.arange(GROUPS) % 2 == 0
    scores = np.round(rng.normal(0, 1, GROUPS) + shift * defective, 1)
    distinct, place = np.unique(scores, return_inverse=True)
    counts = np.zeros((2, GROUPS, len(distinct)), np.int64)
    counts[np.where(defective, 0, 1), np.arange(GROUPS), place] = 1
    numbers = {
        "image_auroc": roc_auc_score(defective, scores),
        "image_ap": average_precision_score(defective, scores),
    }
    metrics = {name: numbers["image_auroc" if "auroc" in name else "image_ap"] for name in METRICS}
    pair = (counts[0], counts[1])
    overlap = counts[0].astype(np.float64)  # every defective image is one region of one pixel
    return Unit(arm, seed, metrics, pair, pair, overlap, defective.astype(float), defective, 0.1), scores


def test_resampling_equals_repeating_the_images():
    made, scores = unit("real", 0, 1.0)
    weights = np.random.default_rng(1).integers(0, 3, (5, GROUPS))
    values = made.resampled(weights)
    for row, weight in enumerate(weights):
        labels, repeated = np.repeat(made.defective, weight), np.repeat(scores, weight)
        assert values["image_ap"][row] == pytest.approx(average_precision_score(labels, repeated))
        assert values["pixel_auroc"][row] == pytest.approx(roc_auc_score(labels, repeated))
        assert values["recall_at_fpr"][row] == pytest.approx(recall_at_fpr(labels, repeated, 0.1))
        assert values["pixel_f1_max"][row] == pytest.approx(f1_max(labels, repeated))
        alarms, hits, _ = roc_curve(labels, repeated, drop_intermediate=False)
        fine = np.union1d(np.linspace(0, 0.3, 30001), alarms[alarms <= 0.3])
        steep = np.trapezoid(np.interp(fine, alarms, hits), fine) / 0.3  # with one-pixel regions PRO is the ROC curve
        assert values["pixel_pro"][row] == pytest.approx(steep, abs=1e-3)


def test_class_metrics_of_resamples_equal_repeating_the_images():
    rng, names = np.random.default_rng(4), ("good", "dent", "pit")
    truth, named = rng.integers(0, 3, GROUPS), rng.integers(0, 3, GROUPS)
    confusion = np.zeros((GROUPS, 3, 3), np.int64)
    confusion[np.arange(GROUPS), truth, named] = 1
    made = replace(unit("real", 0, 1.0)[0], confusion=confusion)
    weights = rng.integers(0, 3, (5, GROUPS))
    values = made.resampled(weights)
    for row, weight in enumerate(weights):
        labels, said = (np.repeat(np.array(names)[each], weight) for each in (truth, named))
        assert values["accuracy"][row] == pytest.approx(accuracy_score(labels, said))
        assert values["macro_f1"][row] == pytest.approx(f1_score(labels, said, average="macro"))


def test_the_mean_of_classes_equals_repeating_the_pixels_of_each_class():
    made, scores = unit("real", 0, 1.0)
    names = np.where(np.arange(GROUPS) % 3 == 0, "large", "small")
    rows = {name: np.flatnonzero(made.defective & (names == name)) for name in ("large", "small")}
    counts = made.pixel_counts[0].astype(np.float64)
    made = replace(made, class_pixels=[ClassPixels(groups, counts[groups]) for groups in rows.values()])
    weights = np.random.default_rng(2).integers(0, 3, (5, GROUPS))
    weights[0, rows["small"]] = 0  # a resample without a pixel of one class
    values = made.resampled(weights)["pixel_macro_ap"]
    for value, weight in zip(values, weights, strict=True):
        found = []
        for groups in rows.values():
            kept = np.isin(np.arange(GROUPS), groups) | ~made.defective
            labels, repeated = (np.repeat(each[kept], weight[kept]) for each in (made.defective, scores))
            found += [average_precision_score(labels, repeated)] if labels.any() else []
        assert value == pytest.approx(np.mean(found))


def test_an_inspector_without_classes_has_no_class_metrics():
    made = unit("real", 0, 1.0)[0]
    values = made.resampled(np.ones((4, GROUPS), np.int64))
    assert np.isnan(values["accuracy"]).all()
    assert values["macro_f1"].shape == (4,)
    assert np.isfinite(values["image_ap"]).all()


def test_summary_holds_means_spreads_and_intervals_around_them():
    units = [unit(arm, seed, shift)[0] for arm, shift in (("real", 0.5), ("ours", 3.0)) for seed in range(3)]
    draws = draw(units, 500)
    rows = summary(units, draws)
    assert [row["arm"] for row in rows] == ["real", "ours"]
    for row in rows:
        numbers = [each.metrics["image_ap"] for each in units if each.arm == row["arm"]]
        found = row["metrics"]["image_ap"]
        assert found["mean"] == pytest.approx(np.mean(numbers))
        assert found["sd"] == pytest.approx(np.std(numbers, ddof=1))
        assert found["low"] < found["mean"] < found["high"]
    gap = difference(rows, draws, "image_ap", "ours", "real")
    assert gap["low"] > 0
    assert gap["low"] < gap["mean"] < gap["high"]
    assert best_other(rows, "image_ap", "real") == "ours"


def test_an_arm_does_not_differ_from_its_twin():
    units = [unit(arm, seed, 1.0)[0] for arm in ("real", "twin") for seed in range(3)]
    draws = draw(units, 200)
    gap = difference(summary(units, draws), draws, "image_ap", "twin", "real")
    assert (gap["mean"], gap["low"], gap["high"]) == (0, 0, 0)


def test_equal_arms_are_rarely_told_apart():
    wrong = 0
    for world in range(40):
        units = [
            unit(arm, seed, 1.0, 1000 * world + 7 * shift)[0]
            for arm, shift in (("a", 0), ("b", 1))
            for seed in (0, 1, 2)
        ]
        draws = draw(units, 200)
        gap = difference(summary(units, draws), draws, "image_ap", "b", "a")
        wrong += gap["low"] > 0 or gap["high"] < 0
    assert wrong <= 8
