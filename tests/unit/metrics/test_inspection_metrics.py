import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from flawsmith.core.errors import DataError
from flawsmith.metrics.inspection import (
    average_precision,
    count_pixels,
    count_stream,
    f1_max,
    image_auroc,
    recall_at_fpr,
    score_bins,
)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_image_metrics_equal_sklearn_with_ties(rows):
    labels, scores = np.array([each[0] for each in rows]), np.array([each[1] / 9 for each in rows])
    if labels.all() or not labels.any():
        return
    assert image_auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = max(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True) if p + r > 0)
    assert f1_max(labels, scores) == pytest.approx(best, abs=1e-12)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert recall_at_fpr(labels, scores, 0.3) == pytest.approx(tpr[fpr <= 0.3].max(), abs=1e-12)


def _maps(seed, count=6, size=(50, 60)):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = np.zeros(size, bool)
        for _ in range(int(rng.integers(0, 4))):
            y, x, h, w = (int(rng.integers(low, high)) for low, high in ((0, 40), (0, 50), (2, 9), (2, 9)))
            mask[y : y + h, x : x + w] = True
        logits = rng.normal(-4, 2, size) + 3 * mask
        yield mask, (1 / (1 + np.exp(-logits))).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_pixel_metrics_equal_sklearn(seed):
    pairs = list(_maps(seed))
    counts = count_stream(pairs)
    labels = np.concatenate([mask.ravel() for mask, _ in pairs])
    scores = np.concatenate([score.ravel() for _, score in pairs])
    assert counts.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    assert counts.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-4)
    assert counts.pro(1.0) == pytest.approx(_brute_pro(pairs, 1.0), abs=2e-3)
    assert counts.pro(0.3) == pytest.approx(_brute_pro(pairs, 0.3), abs=2e-3)


def _brute_pro(pairs, limit):
    """Threshold by threshold, region by region."""
    points = [(0.0, 0.0)]
    thresholds = np.quantile(np.concatenate([s.ravel() for _, s in pairs]), np.linspace(1, 0, 1500))
    parts = [label(mask, np.ones((3, 3))) for mask, _ in pairs]
    for threshold in thresholds:
        shares, alarms, good = [], 0, 0
        for (mask, scores), (regions, number) in zip(pairs, parts, strict=True):
            found = scores >= threshold
            alarms, good = alarms + int((found & ~mask).sum()), good + int((~mask).sum())
            shares += [found[regions == region].mean() for region in range(1, number + 1)]
        points.append((alarms / good, float(np.mean(shares))))
    x, y = np.array(points).T
    grid = np.linspace(0, limit, 5001)
    return np.trapezoid(np.interp(grid, x, y), grid) / limit


def test_a_perfect_map_scores_one_and_an_inverted_one_almost_nothing():
    mask = np.zeros((20, 20), bool)
    mask[5:9, 5:9] = True
    perfect, inverted = count_pixels(mask, mask.astype(float)), count_pixels(mask, 1.0 - mask)
    assert (perfect.auroc, perfect.average_precision, perfect.f1_max) == (1, 1, 1)
    assert perfect.pro() == pytest.approx(1)
    assert inverted.auroc == 0
    assert inverted.pro() == 0
    assert inverted.average_precision == pytest.approx(mask.mean())


def test_pro_counts_a_small_region_as_much_as_a_large_one():
    mask = np.zeros((40, 40), bool)
    mask[2:30, 2:30] = True
    mask[36, 36] = True
    only_large = np.where(mask, 1.0, 0.5)
    only_large[36, 36] = 0.0
    assert count_pixels(mask, only_large).pro() == pytest.approx(0.5, abs=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=50))
@settings(max_examples=40, deadline=None)
def test_bins_keep_the_order_of_scores(scores):
    ordered = np.sort(np.array(scores))
    bins = score_bins(ordered)
    assert (np.diff(bins) >= 0).all()
    assert bins.min() >= 0
    assert bins.max() < 65536


def test_bins_tell_scores_apart_at_both_ends():
    assert len(set(score_bins(np.array([0.0, 1e-7, 2e-7, 1 - 2e-7, 1 - 1e-7, 1.0])).tolist())) == 6


def test_bad_scores_are_refused():
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        count_pixels(np.zeros((2, 2), bool), np.full((2, 2), np.nan))
    with pytest.raises(DataError, match="differ in size"):
        count_pixels(np.zeros((2, 2), bool), np.zeros((3, 2)))
    with pytest.raises(DataError, match="broken"):
        image_auroc(np.array([0, 1]), np.array([0.5, np.inf]))


def test_metrics_without_both_kinds_are_nan():
    assert np.isnan(image_auroc(np.array([1, 1]), np.array([0.2, 0.3])))
    assert np.isnan(average_precision(np.array([0, 0]), np.array([0.2, 0.3])))
    assert np.isnan(count_stream([]).pro())
