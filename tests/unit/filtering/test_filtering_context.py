"""Thresholds measured on training defects, judging, and the context on disk."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.records import Defect, Sample
from flawsmith.core.settings import validated
from flawsmith.filtering.context import GateSettings, fit_gates, judge
from flawsmith.filtering.copies import similarities
from flawsmith.filtering.gates import GATES, Candidate, GateContext
from flawsmith.filtering.settings import PANEL_GATES, SET_GATES

MEASURED = [name for name in (*GATES, *SET_GATES) if name not in PANEL_GATES]
AUTO = dict.fromkeys(MEASURED, "auto")
MASK = np.zeros((50, 50), bool)
MASK[18:32, 18:32] = True


def sample(seed: int, label: str = "pit", depth: float = 60, id: str | None = None) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.normal(140, 3, (50, 50, 1))
    inside = rng.normal(0, min(12, depth), (7, 7)).repeat(2, 0).repeat(2, 1)[..., None] - depth
    image[18:32, 18:32] += inside
    return Sample(id or f"{label}/{seed}", image.clip(0, 255).astype(np.uint8), label, (Defect(label, MASK),))


def pits() -> list[Sample]:
    return [sample(seed) for seed in range(6)]


def candidate(painted: np.ndarray, label: str = "pit") -> Candidate:
    background = np.random.default_rng(99).normal(140, 3, (50, 50, 1)).astype(np.uint8)
    return Candidate(background, np.where(MASK[..., None], painted, background), MASK, MASK, label)


def test_every_gate_has_a_setting_and_a_threshold_for_every_class():
    assert set(GateSettings.model_fields) == {*GATES, *SET_GATES}
    assert set(PANEL_GATES) < set(GATES)
    context = fit_gates([*pits(), sample(20, "stain", 10)], validated(GateSettings, AUTO))
    assert set(context.thresholds) == set(context.templates) == {"pit", "stain"}
    for thresholds in context.thresholds.values():
        assert set(thresholds) == set(MEASURED)
        assert all(np.isfinite(value) for value in thresholds.values())


def test_thresholds_told_are_kept():
    told = {
        **{"mask_obeyed": 0.11, "visible": 7.5, "on_object": 0.22, "not_a_copy": 0.33, "not_a_duplicate": 0.44},
        "mask_plausible": 0.55,
    }
    assert fit_gates(pits(), GateSettings(**told)).thresholds == {"pit": told}


def test_zero_lets_everything_pass():
    context = fit_gates(pits(), GateSettings(**dict.fromkeys(GATES, 0.0)))
    assert judge(candidate(pits()[0].image), context).accepted
    nothing = candidate(np.zeros((50, 50, 1), np.uint8))
    assert judge(Candidate(nothing.background, nothing.background, MASK, ~MASK, "pit", MASK), context).accepted


def test_a_new_defect_passes_what_was_measured_and_a_copy_does_not():
    context = fit_gates(pits(), validated(GateSettings, AUTO))
    assert judge(candidate(sample(50).image), context).accepted
    copied = judge(candidate(sample(4).image), context)
    assert [reason.split(":")[0] for reason in copied.reasons] == ["not_a_copy"]
    assert copied.scores["not_a_copy"] < 0.1


def test_real_defects_pass_the_measured_gates_of_others():
    """Leave one out: what the gates accept of real defects says whether the thresholds are usable."""
    accepted = 0
    for left in range(6):
        context = fit_gates([each for number, each in enumerate(pits()) if number != left], GateSettings())
        accepted += judge(candidate(pits()[left].image), context).accepted
    assert accepted >= 5


def test_faint_classes_get_a_lower_visibility():
    faint = fit_gates([sample(seed, depth=0.5) for seed in range(6)], GateSettings())
    plain = fit_gates(pits(), GateSettings())
    assert plain.thresholds["pit"]["visible"] == 3.0
    assert 0.5 <= faint.thresholds["pit"]["visible"] < 3.0


def test_two_shots_of_one_defect_do_not_loosen_the_copy_gate():
    def second(seed: int) -> Sample:
        again = sample(seed, id=f"again/{seed}")
        noise = np.random.default_rng(1000 + seed).normal(0, 2, again.image.shape)
        image = (again.image + noise).clip(0, 255).astype(np.uint8)
        return Sample(again.id, image, "pit", again.defects)

    both = [*pits(), *(second(seed) for seed in range(6))]
    groups = {each.id: each.id.split("/")[1] for each in both}
    alone = fit_gates(pits(), GateSettings()).thresholds["pit"]["not_a_copy"]
    for context in (fit_gates(both, GateSettings(), groups), fit_gates(both, GateSettings())):
        assert context.thresholds["pit"]["not_a_copy"] == pytest.approx(alone, abs=0.1)
        assert not judge(candidate(sample(4).image), context).accepted


def test_one_photograph_filed_under_two_groups_does_not_loosen_the_copy_gate():
    twice = Sample("again/3", sample(3).image, "pit", sample(3).defects)
    both = [*pits(), twice]
    groups = {each.id: each.id for each in both}
    alone = fit_gates(pits(), GateSettings()).thresholds["pit"]["not_a_copy"]
    assert fit_gates(both, GateSettings(), groups).thresholds["pit"]["not_a_copy"] == pytest.approx(alone, abs=0.1)


def on_rings(one: Sample) -> Sample:
    """The same sample on a part whose rings every picture shows."""
    rows, columns = np.indices((50, 50)) - 25
    rings = (40 * np.sin(np.hypot(rows, columns)))[..., None]
    return Sample(one.id, (one.image + rings).clip(0, 255).astype(np.uint8), one.label, one.defects)


def test_the_outline_of_the_part_makes_defects_no_more_alike():
    """On parts that all show the same, real defects look alike; how alike the defects are is measured without it."""
    goods = [
        Sample(f"good/{n}", np.random.default_rng(200 + n).normal(140, 3, (50, 50, 1)).astype(np.uint8))
        for n in range(3)
    ]
    known = [on_rings(each) for each in (*pits(), *goods)]
    informed = fit_gates(known, GateSettings(), {each.id: each.id for each in known}).thresholds["pit"]["not_a_copy"]
    blind = fit_gates(known[:6], GateSettings(), {each.id: each.id for each in known}).thresholds["pit"]["not_a_copy"]
    assert informed > blind + 0.05


def test_a_defect_image_without_a_mask_does_not_stand_for_a_bare_background():
    known = [on_rings(each) for each in pits()]
    unmasked = [Sample(f"unmasked/{each.id}", each.image, "pit") for each in known]
    groups = {each.id: each.id for each in [*known, *unmasked]}
    alone = fit_gates(known, GateSettings(), groups)
    assert fit_gates([*unmasked, *known], GateSettings(), groups).thresholds == alone.thresholds


def test_gates_that_ask_networks_are_not_fitted_without_any():
    with pytest.raises(SettingsError, match="give fit_gates a panel"):
        fit_gates(pits(), GateSettings(class_agreed="auto"))


def test_a_context_from_before_a_gate_existed_asks_the_others():
    context = fit_gates(pits(), GateSettings())
    older = {name: value for name, value in context.thresholds["pit"].items() if name in ("visible", "not_a_copy")}
    found = judge(candidate(sample(50).image), GateContext({"pit": older}, context.templates))
    assert found.accepted
    assert set(found.scores) == set(older)


def test_one_defect_is_enough_to_fit():
    context = fit_gates([sample(0)], validated(GateSettings, AUTO))
    assert 1 - context.thresholds["pit"]["not_a_copy"] == pytest.approx(0.8)
    assert not judge(candidate(sample(0).image), context).accepted


def test_good_samples_teach_nothing():
    assert fit_gates([Sample("good/0", np.zeros((9, 9, 1), np.uint8))], GateSettings()) == GateContext({}, {})


def test_a_class_without_gates_is_refused_and_the_nearest_proposed():
    with pytest.raises(DataError, match="did you mean 'pit'"):
        judge(candidate(sample(0).image, "pits"), fit_gates(pits(), GateSettings()))


def test_reasons_name_the_gate_the_score_and_the_threshold():
    verdict = judge(candidate(sample(50).image), fit_gates(pits(), GateSettings(visible=1e6)))
    assert verdict.reasons == (f"visible: {verdict.scores['visible']:.3g} < 1e+06",)


def test_the_context_is_saved_and_read_back(tmp_path):
    context = fit_gates([*pits(), sample(20, "stain", 10)], GateSettings())
    context.save(tmp_path)
    back = GateContext.load(tmp_path)
    assert back.thresholds == context.thresholds
    image = sample(4).image
    for label in context.templates:
        one, other = (
            similarities(image, MASK, context.templates[label]),
            similarities(image, MASK, back.templates[label]),
        )
        assert np.array_equal(one, other)
    assert judge(candidate(sample(50).image), back) == judge(candidate(sample(50).image), context)


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        fit_gates(pits(), GateSettings()).save(tmp_path / folder)
    for name in ("gates.json", "templates.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [{"visibel": 1}, {"on_object": 1.5}, {"mask_obeyed": -0.1}, {"visible": -1}, {"not_a_copy": "automatic"}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        validated(GateSettings, wrong)
