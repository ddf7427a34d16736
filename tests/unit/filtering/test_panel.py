"""The gates that ask networks: real defects of other groups pass, other classes, bare parts and noise do not."""

from dataclasses import replace

import numpy as np
import pytest

from flawsmith.core.errors import StageError
from flawsmith.core.records import GOOD, Defect, Sample
from flawsmith.features.crops import Crop, crop_at, spot_of
from flawsmith.filtering.context import fit_gates, judge
from flawsmith.filtering.gates import GATES, PANEL, Candidate, GateContext
from flawsmith.filtering.panel import Opinion, Panel, dealt, fit_panel, load_panel, lowest
from flawsmith.filtering.settings import PANEL_GATES, GateSettings, PanelSettings

SIDE = 40
SETTINGS = PanelSettings(side=16, widths=(8, 16), steps=80, batch=16, networks=2, least_px=16)
OFF = GateSettings(mask_obeyed=0, visible=0, on_object=0, not_a_copy=0, not_a_duplicate=0)
ON = OFF.model_copy(update={"class_agreed": "auto", "realistic": "auto"})


def plate(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 7]).normal(120, 8, (SIDE, SIDE, 1)).clip(0, 255).astype(np.uint8)


def mask_of(label: str, seed: int) -> np.ndarray:
    top, left = np.random.default_rng([seed, 8]).integers(12, 17, 2)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + 9, left : left + 9] = True
    if label == "streak":
        mask[top + 3 :] = False
        mask[top : top + 3, left - 4 : left + 14] = True
    return mask


def painted(label: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    mask = mask_of(label, seed)
    change = -60 if label == "dent" else 70
    return np.where(mask[..., None], plate(seed) + float(change), plate(seed)).clip(0, 255).astype(np.uint8), mask


def crop(label: str, seed: int, group: str) -> Crop:
    image, mask = painted(label, seed)
    spot = spot_of(Defect(label, mask).box_xyxy, (SIDE, SIDE), SETTINGS.margin, SETTINGS.least_px)
    return crop_at(plate(seed) if label == GOOD else image, spot, label, group)


def crops() -> list[Crop]:
    found = [crop(label, 10 * place + seed, f"{label}{seed}") for place, label in enumerate(("dent", "streak"), 1)
             for seed in range(8)]  # fmt: skip
    return found + [crop(GOOD, 100 + seed, f"good{seed}") for seed in range(12)]


def candidate(label: str, seed: int, *, called: str | None = None) -> Candidate:
    image, mask = painted(label, seed)
    return Candidate(plate(seed), image, mask, mask, called or label)


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> GateContext:
    home = tmp_path_factory.mktemp("gates")
    panel = fit_panel(crops(), SETTINGS, home / PANEL)
    samples = [Sample(f"{label}/{seed}", painted(label, 10 * place + seed)[0], label,
                      (Defect(label, mask_of(label, 10 * place + seed)),))
               for place, label in enumerate(("dent", "streak"), 1) for seed in range(8)]  # fmt: skip
    found = fit_gates(samples, ON, {each.id: each.id for each in samples}, panel)
    found.save(home)
    return found


def test_thresholds_are_measured_for_both_gates_and_every_class(context):
    for label in ("dent", "streak"):
        assert 0 < context.thresholds[label]["class_agreed"] <= 0.5
        assert 0 < context.thresholds[label]["realistic"] < 1


@pytest.mark.parametrize("label", ["dent", "streak"])
def test_defects_like_the_real_ones_pass(context, label):
    passed = [judge(candidate(label, seed), context).accepted for seed in range(200, 220)]
    assert np.mean(passed) >= 0.6  # limits are the least of eight real defects each, so some new ones lie below


@pytest.mark.parametrize(("label", "called"), [("dent", "streak"), ("streak", "dent")])
def test_a_defect_of_another_class_is_not_agreed_to(context, label, called):
    for seed in range(200, 206):
        found = judge(candidate(label, seed, called=called), context)
        assert any(reason.startswith("class_agreed: ") for reason in found.reasons), found


def test_a_bare_part_is_no_defect(context):
    for seed in range(200, 206):
        bare = replace(candidate("dent", seed), painted=plate(seed))
        assert not judge(bare, context).accepted


def test_scores_are_0_where_nothing_is_painted(context):
    empty = replace(candidate("dent", 200), mask=np.zeros((SIDE, SIDE), bool))
    assert [GATES[name](empty, context) for name in PANEL_GATES] == [0.0, 0.0]


def test_scores_do_not_depend_on_who_was_asked_before(context):
    first, second = candidate("dent", 200), candidate("streak", 201)
    alone = judge(first, context).scores
    judge(second, context)
    assert judge(first, context).scores == alone


def test_the_panel_is_saved_and_read_back(context, tmp_path):
    context.save(tmp_path)
    back = GateContext.load(tmp_path)
    assert back.panel.limits == context.panel.limits
    found, again = (judge(candidate("dent", 200), each) for each in (context, back))
    assert found.scores["mask_plausible"] is None
    scores, same = ({name: each for name, each in one.scores.items() if each is not None} for one in (found, again))
    assert scores == pytest.approx(same, rel=1e-6)


def test_fitting_again_opens_what_was_fitted(context):
    again = fit_panel(crops(), SETTINGS, context.panel.home)
    assert again.limits == context.panel.limits
    assert load_panel(context.panel.home).limits == pytest.approx(context.panel.limits)


def test_gates_without_networks_say_what_to_do():
    with pytest.raises(StageError, match=r"kit\.gates\.class_agreed=auto"):
        GATES["class_agreed"](candidate("dent", 1), GateContext())


def test_every_group_is_left_out_once_and_classes_are_dealt_evenly():
    owners = [("a", f"g{number % 5}") for number in range(10)] + [("b", f"g{number}") for number in (3, 4, 5, 6)]
    found = dealt(owners, 2)
    assert set(found) == {f"g{number}" for number in range(7)}
    for label in "ab":
        mine = [found[group] for name, group in dict.fromkeys(owners) if name == label]
        assert 1 <= sum(mine) < len(mine)


def test_a_class_of_one_group_is_always_taught_and_has_no_limit(tmp_path):
    assert dealt([("a", "one"), ("a", "one"), ("b", "x"), ("b", "y")], 2) == {"x": 0, "y": 1}
    few = [each for each in crops() if each.label != "streak" or each.group == "streak0"]
    panel = fit_panel(few, SETTINGS.model_copy(update={"steps": 4}), tmp_path / PANEL)
    assert set(panel.limits) == {"dent"}
    assert all("streak" in member.known for member in panel.members)
    samples = [Sample("streak/0", painted("streak", 20)[0], "streak", (Defect("streak", mask_of("streak", 20)),))]
    assert not set(PANEL_GATES) & set(fit_gates(samples, ON, None, panel).thresholds["streak"])


@pytest.mark.parametrize(("count", "failing"), [(3, 0), (19, 0), (40, 1), (100, 4)])
def test_at_least_19_of_20_real_defects_reach_the_limits(count, failing):
    values = np.random.default_rng(count).permutation(np.linspace(0.1, 0.4, count))
    limit = lowest([Opinion(value, 1 - value) for value in values])
    assert (values < limit.agreed).sum() == failing
    assert (1 - values < limit.near).sum() == failing
    assert lowest([Opinion(0.9, 0.9)]) == Opinion(0.5, 0.9)


def test_a_network_that_does_not_know_a_class_is_not_asked(context):
    one, other = context.panel.members
    ignorant = replace(one, known={name: value for name, value in one.known.items() if name != "dent"})
    image, mask = painted("dent", 200)
    both = Panel([ignorant, other], {}, SETTINGS, context.panel.home).opinion(image, mask, "dent")
    assert both == Panel([other], {}, SETTINGS, context.panel.home).opinion(image, mask, "dent")
