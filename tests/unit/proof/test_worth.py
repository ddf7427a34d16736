from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.proof.arms import Arm
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.subsets import curve_groups, fewer, groups_per_class, real_part, with_fewer
from flawsmith.proof.worth import more_groups, sentence, worth

GROUPS = np.array([3.0, 5.0, 10.0])


def line(groups):
    return 0.3 + 0.12 * np.log(groups)


def noisy(values, spread, seed=0, draws=4000):
    values = np.asarray(values, np.float64)
    return values[..., None] + np.random.default_rng(seed).normal(0, spread, (*values.shape, draws))


def judged(candidate, spread=0.002, groups=GROUPS, law=line):
    return worth(groups, law(groups), candidate, noisy(law(groups), spread), noisy(candidate, spread, 1))


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("more", [0.5, 3, 9.9])
def test_the_number_behind_a_known_line_is_found(count, more):
    groups = np.array([2.0, 4.0, 7.0, 10.0])[-count:]
    found = judged(line(10 + more), groups=groups)
    assert (found.status, found.groups) == ("said", 10)
    assert found.more == pytest.approx(more)
    assert found.low < more
    assert found.high is None or found.high > more


def test_the_order_of_the_points_does_not_matter():
    turned = [2, 0, 1]
    draws, mine = noisy(line(GROUPS), 0.01), noisy(line(13), 0.01, 1)
    one = worth(GROUPS, line(GROUPS), line(13), draws, mine)
    assert worth(GROUPS[turned], line(GROUPS)[turned], line(13), draws[turned], mine) == one


@given(
    st.floats(0.05, 3), st.floats(0.05, 0.8), st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    st.floats(0.1, 10),
)  # fmt: skip
def test_a_curve_that_bends_down_is_never_read_as_more_than_it_is(power, height, below, more):
    """The known law a - b n^-c: the true number is at least the one found, and the found one rises with it."""
    groups = np.array([*sorted(below), 10.0])

    def law(count):
        return 0.9 - height * count**-power

    found = [float(more_groups(groups, law(groups), np.array(law(10 + each)))) for each in (more, 1.5 * more)]
    assert 0 <= found[0] <= more * (1 + 1e-9)
    assert found[0] <= found[1]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_a_better_candidate_is_never_worth_less(curve, one, other):
    low, high = sorted((one, other))
    curve = np.array(curve)
    assert more_groups(GROUPS, curve, np.array(low)) <= more_groups(GROUPS, curve, np.array(high))


def test_a_candidate_as_good_as_the_base_is_worth_none():
    bent = np.array([0.1, 0.7, 0.5])
    assert more_groups(GROUPS, bent, np.array(0.5)) == 0
    assert judged(line(10)).status == "no gain"
    assert judged(line(7)).status == "no gain"
    assert more_groups(GROUPS, line(GROUPS), np.array(line(7.0))) == pytest.approx(-3)


def test_twice_the_groups_is_as_far_as_the_curve_is_read():
    assert judged(line(19.9)).status == "said"
    far = judged(line(20.1))
    assert (far.status, far.more, far.high) == ("too far", None, None)
    assert "more than twice the 10 per class" in sentence(far)


def test_a_curve_that_does_not_rise_tells_no_number():
    found = judged(0.6, law=lambda groups: 0.5 - 0.01 * groups)
    assert (found.status, found.more) == ("flat curve", None)


def test_one_point_is_no_curve_and_an_undefined_metric_no_number():
    alone = np.array([10.0])
    few = worth(alone, np.array([0.5]), 0.6, noisy([0.5], 0.1), noisy(0.6, 0.1))
    assert few.status == "too few points"
    assert "proof.fewer_groups" in sentence(few)
    assert judged(float("nan")).status == "undefined"


def test_an_unsure_gain_is_called_unsure():
    sure, unsure = judged(line(14), 0.005), judged(line(14), 0.05)
    assert 0 < sure.low < 4 < sure.high < 10
    assert sentence(sure).startswith("worth about 4 more real groups per class, beside the 10 there are (95 %")
    assert unsure.low < 0
    assert unsure.high is None
    assert "(95 % confidence: none to more than 10)" in sentence(unsure)
    assert sentence(unsure).startswith("not surely worth about 4")


def test_the_interval_holds_the_truth_nearly_as_often_as_it_says():
    inside = 0
    for world in range(100):
        rng = np.random.default_rng(world)
        shift, mine = rng.normal(0, 0.01, 3), rng.normal(0, 0.01)
        curve, candidate = line(GROUPS) + shift, line(14) + mine
        draws = (noisy(curve, 0.01, world + 1000), noisy(candidate, 0.01, world + 2000))
        found = worth(GROUPS, curve, candidate, *draws)
        inside += found.status == "said" and found.low <= 4 <= (found.high or 10)
    assert inside >= 88


def catalog_of(classes):
    """One good image and, per group, one image of each class that it shows."""
    groups = [(f"g{number}", labels) for number, labels in enumerate(classes)]
    rows = [("good", GOOD, "calm"), *((f"{name}-{label}", label, name) for name, labels in groups for label in labels)]
    return Catalog("parts", Path(), "test", tuple(Entry(id, Path(id), label, name) for id, label, name in rows))


@given(st.integers(0, 5), st.lists(st.sampled_from([("a",), ("b",), ("a", "b"), ("c",)]), min_size=1, max_size=12))
def test_fewer_groups_are_whole_nested_and_drawn_by_seed(seed, classes):
    train = catalog_of(classes)
    before = set(fewer(train, 1, seed))
    assert {each.label for each in before} == {each.label for each in train}, "every class keeps a group"
    for count in range(2, 13):
        kept = set(fewer(train, count, seed))
        assert before <= kept
        for name in {each.group for each in kept}:
            assert {each for each in train if each.group == name} <= kept, "no group is cut"
        before = kept
    assert before == set(train)


def test_classes_keep_as_many_groups_as_asked_for_and_seeds_differ():
    train = catalog_of([("a",)] * 8 + [("b",)] * 2)
    kept = fewer(train, 3, 0)
    assert [len({each.group for each in kept.labelled(label)}) for label in ("a", "b")] == [3, 2]
    assert len({frozenset(each.id for each in fewer(train, 3, seed)) for seed in range(5)}) > 1
    assert groups_per_class(train) == 5
    assert groups_per_class(train.labelled(GOOD)) == 0


def test_the_arms_of_the_curve_learn_from_fewer_groups_than_there_are():
    train = catalog_of([("a",)] * 6 + [("b",)] * 4)
    settings = ProofSettings(fewer_groups=(5, 2, 6, 50), seeds=2)
    arms = with_fewer({"real": Arm(options={"augment": 1.0}), "ours": Arm()}, settings, train)
    assert list(arms) == ["real@2", "real@5", "real", "ours"]
    assert arms["real@2"].options == {"augment": 1.0}
    assert curve_groups(arms, settings, train) == {"real@2": 2, "real@5": 4.5, "real": 5}
    assert real_part(train, Arm(real_defects=False), 0).defect_labels == ()
    assert len(real_part(train, arms["ours"], 0)) == len(train)
