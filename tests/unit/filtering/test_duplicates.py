"""Near-duplicates inside a set: the same defect again, however turned and lit, and not another one."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from test_copies import defect

from flawsmith.core.records import Defect, Sample
from flawsmith.filtering.context import GateSettings, fit_gates
from flawsmith.filtering.duplicates import Accepted, likenesses, sketch, views

KNOWN = [defect(number) for number in range(5)]


def accepted() -> Accepted:
    found = Accepted()
    for image, mask in KNOWN:
        found.add(image, [Defect("pit", mask)])
    return found


def test_another_defect_is_original_and_the_same_again_is_not():
    found = accepted()
    for number in range(5, 10):
        image, mask = defect(number)
        assert found.originality(image, [Defect("pit", mask)]) > 0.2
    for image, mask in KNOWN:
        assert found.originality(image, [Defect("pit", mask)]) < 1e-3


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_turning_and_lighting_make_nothing_original(quarter, flipped):
    image, mask = (np.rot90(each[:, ::-1] if flipped else each, quarter) for each in KNOWN[2])
    lit = (image * 0.8 + 20).clip(0, 255).astype(np.uint8)
    assert accepted().originality(lit, [Defect("pit", mask)]) < 0.05


def test_a_defect_on_another_background_or_at_another_place_is_the_same():
    image, mask = KNOWN[3]
    larger = np.random.default_rng(9).integers(110, 150, (160, 200, 1)).astype(np.uint8)
    there = np.zeros((160, 200), bool)
    there[70:150, 5:85] = mask
    larger[there] = image[mask]
    assert accepted().originality(larger, [Defect("pit", there)]) < 0.05


def test_classes_are_compared_apart_and_the_worst_defect_counts():
    found, (image, mask) = accepted(), KNOWN[0]
    assert found.originality(image, [Defect("stain", mask)]) == 1.0
    fresh = Defect("stain", mask)
    assert found.originality(image, [fresh, Defect("pit", mask)]) < 1e-3
    assert Accepted().originality(image, [fresh]) == 1.0
    assert found.originality(image, []) == 1.0


def test_what_has_no_structure_is_alike_to_nothing():
    flat = np.full((60, 60, 1), 90, np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    assert not sketch(flat, mask).any()
    found = accepted()
    found.add(flat, [Defect("pit", mask)])
    assert found.originality(flat, [Defect("pit", mask)]) == 1.0


def test_likeness_is_that_of_every_pair_alone_and_to_itself_1():
    seen = np.stack([views(image, mask) for image, mask in KNOWN])
    found = likenesses(seen, seen[:3, 0])
    assert found.shape == (5, 3)
    for row in range(5):
        for column in range(3):
            expected = max(float(view @ seen[column, 0]) for view in seen[row])
            assert found[row, column] == pytest.approx(min(1.0, max(0.0, expected)), abs=1e-6)
    assert np.diag(found) == pytest.approx(1, abs=1e-5)


def blob(seed: int, grain: float) -> Sample:
    """A round dark spot: nearly the same in every picture where there is little grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((40, 40)) - 20
    far = np.hypot(rows, columns)
    plane = 140 - 60 * np.exp(-((far / 5) ** 2)) + grain * gaussian_filter(rng.normal(0, 1, (40, 40)), 1)
    return Sample(f"spot/{seed}", plane.clip(0, 255).astype(np.uint8)[..., None], "spot", (Defect("spot", far < 8),))


def limit_of(samples: list[Sample]) -> float:
    groups = {each.id: each.id for each in samples}
    return 1 - fit_gates(samples, GateSettings(), groups).thresholds["spot"]["not_a_duplicate"]


def test_where_real_defects_all_look_alike_more_likeness_is_allowed():
    different, alike = limit_of([blob(seed, 60) for seed in range(6)]), limit_of([blob(seed, 6) for seed in range(6)])
    assert different == pytest.approx(0.95)
    assert different < alike < 1


def test_one_photograph_filed_twice_does_not_switch_the_gate_off():
    samples = [blob(seed, 60) for seed in range(6)]
    twice = Sample("spot/again", samples[0].image, "spot", samples[0].defects)
    assert limit_of([*samples, twice]) == pytest.approx(limit_of(samples))
