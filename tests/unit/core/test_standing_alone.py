"""Which group's defects are of another order of size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsmith.core.standing_alone import standing_alone


def areas(*sizes: float) -> dict[str, list[float]]:
    return {f"group {number}": [size] for number, size in enumerate(sizes)}


def test_one_far_above_all_others_is_named_with_how_far():
    assert standing_alone(areas(30, 40, 50, 60, 4500)) == {"group 4": 100.0}


@pytest.mark.parametrize(
    "sizes",
    [
        (30, 40, 50, 4500),  # four groups: nobody can say what is usual
        (30, 40, 50, 60, 850),  # 19 times the usual
        (30, 40, 50, 1500, 4500),  # only three times the next
        (30, 4400, 4500, 4600, 4700),  # small ones do no harm
    ],
)
def test_what_might_be_usual_is_not_named(sizes):
    assert standing_alone(areas(*sizes)) == {}


def test_a_group_counts_with_the_median_of_its_images():
    one_slip = areas(30, 40, 50, 60) | {"group 4": [55, 45, 9000]}
    assert standing_alone(one_slip) == {}


sizes = st.lists(st.floats(1, 1e5), min_size=1, max_size=12)


@given(sizes, st.integers(-20, 20))
def test_the_unit_does_not_matter(found, power):
    unit = 2.0**power  # multiplies without rounding
    assert list(standing_alone(areas(*found))) == list(standing_alone(areas(*(unit * each for each in found))))


@given(sizes)
def test_at_most_the_largest_is_named(found):
    named = standing_alone(areas(*found))
    assert not named or max(found) == areas(*found)[next(iter(named))][0]
