"""A mask that nobody asked for has the size and the pieces that real ones have, or is rejected."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import disk

from flawsmith.core.records import Defect, Sample
from flawsmith.filtering.context import GateSettings, fit_gates, judge
from flawsmith.filtering.forms import Forms, pieces
from flawsmith.filtering.gates import GATES, Candidate, GateContext

HW = (96, 96)


def blob(*spots):
    """Return a mask of discs given as (row, column, radius)."""
    mask = np.zeros(HW, bool)
    for row, column, radius in spots:
        mask[disk((row, column), radius, shape=HW)] = True
    return mask


def sample(number, mask):
    rng = np.random.default_rng(number)
    image = rng.normal(150, 4, (*HW, 1)) + np.where(mask[..., None], rng.normal(-60, 15, (*HW, 1)), 0)
    return Sample(f"real/{number}", image.clip(0, 255).astype(np.uint8), "pit", (Defect("pit", mask),))


@pytest.fixture(scope="module")
def context():
    masks = [blob((40, 40, 6)), blob((50, 30, 9)), blob((30, 60, 7), (60, 60, 5))]
    return fit_gates([sample(number, mask) for number, mask in enumerate(masks)], GateSettings())


def drawn(mask, asked=None):
    bare = np.random.default_rng(9).normal(150, 4, (*HW, 1))
    painted = bare + np.where(mask[..., None], np.random.default_rng(8).normal(-60, 15, (*HW, 1)), 0)
    return Candidate(bare.astype(np.uint8), painted.clip(0, 255).astype(np.uint8), asked, mask, "pit")


@pytest.mark.parametrize("mask", [blob((30, 30, 8)), blob((40, 20, 6), (40, 70, 6)), blob((40, 40, 12))])
def test_a_mask_like_real_ones_passes(context, mask):
    assert judge(drawn(mask), context).accepted


def test_noise_over_the_whole_crop_passes_no_more(context):
    speckle = np.random.default_rng(0).random(HW) < 0.04
    reasons = judge(drawn(speckle), context).reasons
    assert [reason.split(":")[0] for reason in reasons] == ["mask_plausible"]


@pytest.mark.parametrize("mask", [blob((48, 48, 30)), blob((48, 48, 2)), np.zeros(HW, bool)])
def test_far_too_large_or_small_or_nothing_at_all_is_rejected(context, mask):
    assert "mask_plausible" in {reason.split(":")[0] for reason in judge(drawn(mask), context).reasons}


def test_what_was_asked_for_is_not_judged_by_it(context):
    huge = blob((48, 48, 30))
    assert GATES["mask_plausible"](drawn(huge, asked=huge), context) is None
    assert GATES["mask_plausible"](replace(drawn(huge), label="crack"), context) is None


def test_the_range_is_kept_with_the_gates(context, tmp_path):
    context.save(tmp_path)
    assert (
        GateContext.load(tmp_path).forms
        == context.forms
        == {"pit": Forms.of([blob((40, 40, 6)), blob((50, 30, 9)), blob((30, 60, 7), (60, 60, 5))])}
    )


def test_dashes_of_one_crack_are_one_piece_and_spots_apart_are_several():
    crack = np.zeros((200, 20), bool)
    crack[np.arange(200) % 12 < 9, 8:11] = True
    assert pieces(crack) == 1
    assert pieces(blob((20, 20, 4), (60, 60, 4), (20, 70, 4))) == 3
    assert pieces(np.zeros((5, 5), bool)) == 0


@given(st.integers(2, 20), st.integers(2, 20))
def test_half_at_twice_the_range_and_never_above_one(radius, other):
    one, two = blob((40, 40, radius)), blob((50, 50, other))
    forms = Forms.of([one])
    assert forms.fit(one) == 1
    assert forms.fit(two) == pytest.approx(min(one.sum() / two.sum(), two.sum() / one.sum()))
