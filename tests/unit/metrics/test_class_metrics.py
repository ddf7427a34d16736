import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from flawsmith.core.errors import DataError
from flawsmith.metrics import classes

NAMES = ("good", "crack", "dent", "pit")
pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_everything_equals_scikit_learn(drawn):
    truth, named = [pair[0] for pair in drawn], [pair[1] for pair in drawn]
    confusion = classes.confusion_matrix(truth, named, NAMES)
    assert (confusion == theirs.confusion_matrix(truth, named, labels=NAMES)).all()
    options = {"labels": NAMES, "zero_division": np.nan}
    precision, recall, f1, _ = theirs.precision_recall_fscore_support(truth, named, **options)
    assert classes.precision(confusion) == pytest.approx(precision, nan_ok=True)
    assert classes.recall(confusion) == pytest.approx(recall, nan_ok=True)
    assert classes.f1(confusion) == pytest.approx(f1, nan_ok=True)
    assert classes.accuracy(confusion) == pytest.approx(theirs.accuracy_score(truth, named))
    assert classes.macro(classes.f1(confusion)) == pytest.approx(theirs.f1_score(truth, named, average="macro"))


def test_many_matrices_at_once_give_what_each_gives_alone():
    stack = np.random.default_rng(0).integers(0, 5, (3, 2, 4, 4))
    for function in (classes.accuracy, classes.precision, classes.recall, classes.f1):
        together = function(stack)
        for place in np.ndindex(3, 2):
            assert together[place] == pytest.approx(function(stack[place]), nan_ok=True)


def test_without_classes_nothing_is_known():
    nothing = np.zeros((5, 0, 0))
    assert np.isnan(classes.accuracy(nothing)).all()
    assert np.isnan(classes.macro(classes.f1(nothing))).all()


def test_unknown_classes_and_unequal_lengths_are_refused():
    with pytest.raises(DataError, match="dent"):
        classes.confusion_matrix(["good"], ["dent"], ["good"])
    with pytest.raises(DataError, match="every image"):
        classes.confusion_matrix(["good"], [], ["good"])


scored = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(scored)
def test_no_threshold_has_a_better_f1_than_the_one_chosen(drawn):
    labels, scores = np.array([each[0] for each in drawn]), np.array([each[1] / 8 for each in drawn])
    chosen = classes.decision_threshold(labels, scores)
    if labels.all() or not labels.any():
        assert chosen == 0.5
        return
    best = max(theirs.f1_score(labels, scores >= value) for value in np.linspace(0, 1, 17))
    assert theirs.f1_score(labels, scores >= chosen) == pytest.approx(best)
    assert not (np.isin(chosen, scores) and chosen > scores.min()), "a threshold lies between scores"


@pytest.mark.parametrize(("scores", "threshold"), [((0.9, 0.3, 0.2, 0.1), 0.6), ((0.9, 0.8, 0.7, 0.2), 0.1)])
def test_of_equal_thresholds_the_one_in_the_widest_gap_is_chosen(scores, threshold):
    """With defects first and last, calling one or all four defective gives an F1 score of 2/3."""
    labels = np.array([1, 0, 0, 1])
    assert classes.decision_threshold(labels, np.array(scores)) == pytest.approx(threshold)
