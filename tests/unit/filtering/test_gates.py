"""Every gate passes what is good and rejects what breaks it, at every depth and number of channels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk

from flawsmith.core.errors import DataError
from flawsmith.core.records import Defect, Sample
from flawsmith.filtering.changes import changed_mask, dilated, local_noise, reach
from flawsmith.filtering.context import GateSettings, fit_gates, judge
from flawsmith.filtering.gates import GATES as ALL_GATES
from flawsmith.filtering.gates import Candidate, GateContext, contrast, overlap
from flawsmith.filtering.settings import PANEL_GATES

HW = (64, 64)
GATES = {name: ALL_GATES[name] for name in ALL_GATES if name not in (*PANEL_GATES, "mask_plausible")}
"""Those that ask networks, or apply where no mask was asked for, have their own: test_panel.py, test_forms.py."""
KINDS = [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1), (np.uint16, 3)]


def round_mask(radius: float = 8, center: tuple[int, int] = (32, 32)) -> np.ndarray:
    mask = np.zeros(HW, bool)
    mask[disk(center, radius, shape=HW)] = True
    return mask


def surface(seed: int, kind=(np.uint8, 1)) -> np.ndarray:
    """A flat surface with grain, HWC at a depth and with channels."""
    grain = np.random.default_rng([seed, 1]).normal(0.5, 0.015, (*HW, 1))
    return np.repeat((grain.clip(0, 1) * np.iinfo(kind[0]).max).astype(kind[0]), kind[1], 2)


def pattern(seed: int) -> np.ndarray:
    """What a defect looks like inside: dark, with a structure of its own (HW1, shares of full range)."""
    rng = np.random.default_rng([seed, 2])
    coarse = rng.normal(0, 1, (8, 8)).repeat(8, 0).repeat(8, 1)
    return -0.25 + 0.06 * coarse[..., None]


def with_defect(background: np.ndarray, mask: np.ndarray, inside: np.ndarray) -> np.ndarray:
    top = np.iinfo(background.dtype).max
    changed = np.where(mask[..., None], background + inside * top, background)
    return changed.clip(0, top).round().astype(background.dtype)


def real(number: int, kind=(np.uint8, 1)) -> Sample:
    mask = round_mask()
    image = with_defect(surface(100 + number, kind), mask, pattern(100 + number))
    return Sample(f"real/{number}", image, "pit", (Defect("pit", mask),))


def fitted(kind=(np.uint8, 1)) -> GateContext:
    return fit_gates([real(number, kind) for number in range(6)], GateSettings())


def good(kind=(np.uint8, 1)) -> Candidate:
    background, mask = surface(0, kind), round_mask()
    return Candidate(background, with_defect(background, mask, pattern(0)), mask, mask, "pit", np.ones(HW, bool))


def disobeyed(candidate: Candidate) -> Candidate:
    return replace(candidate, mask=dilated(candidate.mask, 6))


def invisible(candidate: Candidate) -> Candidate:
    mask = candidate.mask
    return replace(candidate, painted=with_defect(candidate.background, mask, np.full((*HW, 1), -0.002)))


def off_the_object(candidate: Candidate) -> Candidate:
    return replace(candidate, foreground=~round_mask(20))


def copied(candidate: Candidate) -> Candidate:
    """A training defect, turned, flipped and brightened."""
    kind = candidate.painted.dtype.type, candidate.painted.shape[2]
    own = real(3, kind).image.astype(float)
    turned = np.rot90(own[:, ::-1], 1) * 1.1
    painted = np.where(candidate.mask[..., None], turned, candidate.background)
    return replace(candidate, painted=painted.clip(0, np.iinfo(kind[0]).max).astype(kind[0]))


BREAKERS = {
    "mask_obeyed": disobeyed,
    "visible": invisible,
    "on_object": off_the_object,
    "not_a_copy": copied,
}


def test_every_gate_has_a_case_that_breaks_it():
    assert set(BREAKERS) == set(GATES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GATES)
def test_a_gate_passes_the_good_and_rejects_what_breaks_it(name, kind):
    context = fitted(kind)
    candidate = good(kind)
    passed = judge(candidate, context)
    assert passed.accepted, passed.reasons
    assert passed.reasons == ()
    broken = judge(BREAKERS[name](candidate), context)
    assert not broken.accepted
    assert any(reason.startswith(f"{name}: ") for reason in broken.reasons), broken
    assert broken.scores[name] < passed.scores[name]


# What cannot be seen cannot obey its mask either: "visible" never stands alone.
@pytest.mark.parametrize("name", [name for name in GATES if name != "visible"])
def test_only_the_gate_that_is_broken_says_so(name):
    reasons = judge(BREAKERS[name](good()), fitted()).reasons
    assert [reason.split(":")[0] for reason in reasons] == [name]


@pytest.mark.parametrize("name", GATES)
def test_scores_are_finite_and_never_an_error_where_nothing_is_painted(name):
    empty = replace(good(), mask=np.zeros(HW, bool), painted=good().background)
    assert GATES[name](empty, fitted()) in (0.0, 1.0)
    assert np.isfinite(GATES[name](good(), GateContext()))


@pytest.mark.parametrize("name", GATES)
def test_scores_do_not_depend_on_the_depth(name):
    eight, sixteen = good(), good()
    wide = {key: getattr(sixteen, key).astype(np.uint16) * 257 for key in ("background", "painted")}
    sixteen = replace(sixteen, **wide)
    context = fitted()
    assert GATES[name](sixteen, context) == pytest.approx(GATES[name](eight, context), rel=1e-3)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_overlap_is_intersection_over_union(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, 9, 11)) < rng.random((2, 1, 1))
    first, second = set(map(tuple, np.argwhere(one))), set(map(tuple, np.argwhere(other)))
    expected = len(first & second) / len(first | second) if first | second else 0.0
    assert overlap(one, other) == pytest.approx(expected)
    assert overlap(one, other) == overlap(other, one)


def test_the_pixels_that_changed_are_the_ones_painted():
    candidate = good()
    found = changed_mask(candidate.background, candidate.painted, candidate.mask)
    assert overlap(found, candidate.mask) > 0.8
    assert not changed_mask(candidate.background, candidate.background, candidate.mask).any()


def test_a_change_far_from_the_mask_is_not_the_defects():
    candidate = good()
    elsewhere = round_mask(5, (8, 8))
    painted = with_defect(candidate.painted, elsewhere, np.full((*HW, 1), -0.4))
    assert not changed_mask(candidate.background, painted, candidate.mask)[elsewhere].any()


def test_repainted_grain_is_no_change():
    candidate = good()
    other = surface(77)
    painted = np.where(candidate.mask[..., None], other, candidate.background)
    assert not changed_mask(candidate.background, painted, candidate.mask).any()


def test_visibility_is_measured_in_the_grains_own_spread():
    rough = np.random.default_rng(0).normal(128, 10, (*HW, 1)).clip(0, 255).astype(np.uint8)
    mask = round_mask()
    painted = np.where(mask[..., None], rough.astype(int) - 40, rough).clip(0, 255).astype(np.uint8)
    spread = local_noise(rough, ~dilated(mask, reach(mask)))
    assert spread == pytest.approx(10, rel=0.15)
    assert contrast(rough, painted, mask) == pytest.approx(40 / spread, rel=0.05)


def test_a_flat_background_does_not_make_one_grey_level_visible():
    flat = np.full((*HW, 1), 128, np.uint8)
    painted = np.where(round_mask()[..., None], 129, flat).astype(np.uint8)
    assert contrast(flat, painted, round_mask()) <= 2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("painted", np.zeros((64, 63, 1), np.uint8), "same window"),
        ("painted", np.zeros((64, 64, 1), np.uint16), "same window"),
        ("mask", np.zeros((64, 63), bool), "mask is HW bool"),
        ("asked", np.zeros(HW, np.uint8), "asked is HW bool"),
        ("foreground", np.zeros((63, 64), bool), "foreground is HW bool"),
    ],
)
def test_crops_that_do_not_fit_together_are_refused(name, value, message):
    with pytest.raises(DataError, match=message):
        replace(good(), **{name: value})


def test_the_defect_begun_with_counts_as_it_was_laid():
    candidate, context = good(), fitted()
    assert judge(candidate, context).accepted
    copied_from = replace(candidate, shown=candidate.painted)
    assert judge(copied_from, context).scores["not_a_copy"] < 0.02
    assert not judge(copied_from, context).accepted
    other = replace(candidate, shown=with_defect(surface(3), candidate.mask, pattern(50)))
    assert judge(other, context).accepted
