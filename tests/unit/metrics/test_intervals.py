import numpy as np
import pytest
from scipy.stats import norm

from flawsmith.core.errors import DataError
from flawsmith.metrics.intervals import bootstrap_interval, paired_difference, percentile_interval, resampling_weights


def test_weights_keep_the_size_of_each_stratum():
    strata = [True, True, False, False, False]
    weights = resampling_weights(strata, 200, np.random.default_rng(0))
    assert (weights[:, :2].sum(1) == 2).all()
    assert (weights[:, 2:].sum(1) == 3).all()
    assert weights.mean(0) == pytest.approx(np.ones(5), abs=0.2)


def test_interval_of_a_mean_agrees_with_the_normal_theory():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap_interval(
        lambda weights: weights @ values / weights.sum(1), [0] * 400, 4000, np.random.default_rng(2)
    )
    half = norm.ppf(0.975) * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        values = rng.normal(0, 1, 40)
        low, high = bootstrap_interval(lambda weights, v=values: weights @ v / 40, [0] * 40, 300, rng)
        hits += low <= 0 <= high
    assert 0.87 <= hits / 200 <= 0.99


def test_a_paired_difference_cancels_what_both_share():
    rng = np.random.default_rng(4)
    shared = rng.normal(0, 10, 2000)
    assert paired_difference(shared + 1, shared) == pytest.approx((1, 1))
    assert paired_difference(shared + 1, shared).excludes_zero()
    assert not paired_difference(shared, rng.permutation(shared)).excludes_zero()


def test_nan_is_left_out_and_nothing_is_not_a_proof():
    assert percentile_interval(np.array([1.0, np.nan, 1.0])) == (1, 1)
    assert not percentile_interval(np.array([np.nan])).excludes_zero()


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="no group"):
        resampling_weights([], 10, np.random.default_rng(0))
    with pytest.raises(DataError, match="same resamples"):
        paired_difference(np.zeros(3), np.zeros(4))
