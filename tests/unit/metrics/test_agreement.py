"""Kappas against published values and scikit-learn."""

from functools import partial

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from flawsmith.core.errors import DataError
from flawsmith.metrics.agreement import agreement, cohen_kappa, fleiss_kappa, label_kappas, with_interval

DIAGNOSES = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
"""Fleiss 1971, table 1: of 30 patients, how many of 6 psychiatrists gave each of 5 diagnoses."""


def diagnoses():
    return np.array([[int(digit) for digit in row] for row in DIAGNOSES.split()])


def test_fleiss_finds_what_fleiss_found():
    counts = diagnoses()
    assert counts.sum(0).tolist() == [26, 26, 30, 55, 43], "the table's own totals"
    assert fleiss_kappa(counts) == pytest.approx(0.430, abs=5e-4)
    assert label_kappas(counts) == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=5e-4)
    assert agreement(counts).mean() == pytest.approx(0.556, abs=5e-4)


def test_fleiss_by_hand():
    """Two images, three votes: agreement (1 + 1/3) / 2, shares 5/6 and 1/6, chance 26/36."""
    assert fleiss_kappa(np.array([[3, 0], [2, 1]])) == pytest.approx((2 / 3 - 26 / 36) / (1 - 26 / 36))


def test_weights_are_repetitions():
    counts, times = diagnoses(), np.random.default_rng(0).integers(0, 4, 30)
    assert fleiss_kappa(counts, times) == pytest.approx(fleiss_kappa(np.repeat(counts, times, 0)))
    one, other = np.random.default_rng(1).integers(0, 3, (2, 30))
    expected = cohen_kappa_score(np.repeat(one, times), np.repeat(other, times))
    assert cohen_kappa(one, other, times) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_cohen_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 4, 50)
    other = np.where(rng.random(50) < 0.6, one, rng.integers(0, 4, 50))
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))


def test_one_label_throughout_has_no_kappa():
    assert np.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])))
    assert np.isnan(cohen_kappa(np.zeros(4, int), np.zeros(4, int)))
    assert np.isnan(label_kappas(np.array([[2, 0], [2, 0]]))).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match=r"got \[2, 3\]"):
        fleiss_kappa(np.array([[3, 0], [1, 1]]))
    with pytest.raises(DataError, match=r"got \[1\]"):
        label_kappas(np.array([[1, 0]]))
    with pytest.raises(DataError, match="got 2 and 3"):
        cohen_kappa(np.zeros(2, int), np.zeros(3, int))


def test_the_interval_holds_the_kappa_and_narrows_with_more_images():
    rng = np.random.default_rng(0)

    def found(images):
        one = rng.integers(0, 2, images)
        other = np.where(rng.random(images) < 0.8, one, 1 - one)
        return with_interval(partial(cohen_kappa, one, other), np.arange(images), 100, np.random.default_rng(1))

    few, many = found(30), found(600)
    assert few.interval.low < few.value < few.interval.high
    assert many.interval.high - many.interval.low < (few.interval.high - few.interval.low) / 2


def test_pictures_of_one_part_are_drawn_together():
    """Each image ten times over tells no more than once, if the ten are one group."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 2, 40)
    other = np.where(rng.random(40) < 0.8, one, 1 - one)
    ones, others, groups = (np.repeat(each, 10) for each in (one, other, np.arange(40)))
    single = with_interval(partial(cohen_kappa, one, other), np.arange(40), 60, np.random.default_rng(2))
    grouped = with_interval(partial(cohen_kappa, ones, others), groups, 60, np.random.default_rng(2))
    assert grouped.interval == pytest.approx(single.interval)
