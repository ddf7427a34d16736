from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from flawsmith.core.errors import DataError
from flawsmith.metrics.generation import fid, inception_score, kid, precision_recall


def two_sets(count=40, features=8, seed=0, shift=0.5):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(features, features))
    return rng.normal(size=(count, features)) @ mixing, rng.normal(size=(count + 5, features)) @ mixing + shift


def frechet(real, made):
    """The distance as it is written in the paper, by a general matrix root."""
    one, other = np.cov(real.T), np.cov(made.T)
    shift = real.mean(0) - made.mean(0)
    return float(shift @ shift + np.trace(one + other - 2 * sqrtm(one @ other).real))


@settings(max_examples=25, deadline=None)
@given(count=st.integers(3, 60), features=st.integers(2, 20), seed=st.integers(0, 999))
def test_fid_is_the_paper_s_formula_for_many_and_few_images(count, features, seed):
    real, made = two_sets(count, features, seed)
    slack = 1e-4 * (np.trace(np.cov(real.T)) + np.trace(np.cov(made.T)))  # the general root is rough when singular
    assert fid(real, made) == pytest.approx(frechet(real, made), abs=slack)


def test_fid_of_normal_distributions_known_exactly():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(200_000, 2))
    made = rng.normal(size=(200_000, 2)) * [2.0, 3.0] + [1.0, 0.0]
    assert fid(real, made) == pytest.approx(1 + (2 - 1) ** 2 + (3 - 1) ** 2, rel=0.01)


def test_a_set_is_at_no_distance_from_itself():
    real, _ = two_sets()
    assert fid(real, real) == pytest.approx(0, abs=1e-9)
    assert precision_recall(real, real) == (1.0, 1.0)


def test_fid_and_kid_agree_with_torchmetrics():
    class AsTheyAre(torch.nn.Module):
        num_features = 8

        def forward(self, x):
            return x.flatten(1)

    real, made = two_sets(45)
    made = made[:45]
    asked = [FrechetInceptionDistance(AsTheyAre(), input_img_size=(8, 1, 1)).set_dtype(torch.float64)]
    asked.append(KernelInceptionDistance(AsTheyAre(), subsets=1, subset_size=45))
    for metric in asked:
        metric.update(torch.from_numpy(real)[..., None, None], real=True)
        metric.update(torch.from_numpy(made)[..., None, None], real=False)
    assert fid(real, made) == pytest.approx(float(asked[0].compute()), rel=1e-4)
    assert kid(real, made, np.random.default_rng(0))[0] == pytest.approx(float(asked[1].compute()[0]), rel=1e-4)


def test_kid_is_the_mean_over_pairs():
    real, made = two_sets(6, 3)
    made = made[:6]

    def mean(one, other, same):
        pairs = [(x @ y / 3 + 1) ** 3 for i, x in enumerate(one) for j, y in enumerate(other) if not same or i != j]
        return np.mean(pairs)

    expected = mean(real, real, True) + mean(made, made, True) - 2 * mean(real, made, False)
    assert kid(real, made, np.random.default_rng(0))[0] == pytest.approx(expected)


def test_kid_of_subsets_is_near_that_of_all_and_says_its_spread():
    real, made = two_sets(300, shift=2.0)
    made = made[:300]
    rng = np.random.default_rng(0)
    whole, spread = kid(real, made, rng)
    parts, scatter = kid(real, made, rng, subsets=200, subset_size=100)
    assert spread == 0
    assert scatter > 0
    assert parts == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_inception_score_of_known_cases(classes):
    assert inception_score(np.eye(classes)) == pytest.approx(classes)
    assert inception_score(np.full((7, classes), 1 / classes)) == pytest.approx(1)
    assert inception_score(np.eye(classes)[[0] * 4]) == pytest.approx(1)


def test_precision_and_recall_tell_looks_from_coverage():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 100])
    one_kind = rng.normal(size=(60, 2)) * 0.5
    found = precision_recall(real, one_kind)
    assert found.precision > 0.9
    assert found.recall < 0.6
    odd = precision_recall(real, np.concatenate([real, real + 1000]))
    assert odd.precision == pytest.approx(0.5)
    assert odd.recall == 1.0


def test_what_is_no_feature_set_is_refused():
    real, made = two_sets()
    for wrong in (real[:, :3], real[:1], real[0], np.full_like(real, np.nan)):
        with pytest.raises(DataError):
            fid(wrong, made)
    with pytest.raises(DataError):
        precision_recall(real[:3], made)
    with pytest.raises(DataError):
        inception_score(np.ones((3, 2)))
