"""Verdicts by hand: reading them, learning limits from them, and refusing where they say nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import DataError
from flawsmith.filtering.by_hand import LEAST, learn_limits, passes, read_verdicts

NAMES = ("scratch/00001", "scratch/00002", "dent/00001-03")


def table(folder, text: str):
    path = folder / "verdicts.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "image,verdict\nscratch/00001,accept\ndent/00001-03,reject\n",
        "\ufeffImage, Verdict\r\nrun/images/scratch/00001.png, Accept\r\nrejected/dent/00001-03.png,REJECT\r\n",
        'image,verdict,why\n./scratch/00001,accept,"so, so"\nC:\\run\\rejected\\dent\\00001-03.png,reject,\n',
    ],
)
def test_images_are_named_by_id_or_path(tmp_path, text):
    assert read_verdicts(table(tmp_path, text), NAMES) == {"scratch/00001": True, "dent/00001-03": False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,verdict\nscratch/00001,accept\nscratch/00003,reject\n", r"line 3: .*'scratch/00003'.*did you mean"),
        ("image,verdict\nscratch/00001,yes\n", "line 2: expected the verdict accept or reject, got 'yes'"),
        ("image,verdict\nscratch/00001\n", "expected the verdict accept or reject, got ''"),
        ("image,verdict\nscratch/00001,accept\nscratch/00001,reject\n", "both accepted and rejected"),
        ("image,verdict\n", "holds no verdict"),
        ("file,label\na,b\n", "expected the columns image and verdict in its first line, got file, label"),
        ("", "expected the columns image and verdict"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_verdicts(table(tmp_path, text), NAMES)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_bytes(b"\xff\xfe\x00image")
    with pytest.raises(DataError, match=r"cannot be read|expected the columns"):
        read_verdicts(path, NAMES)
    with pytest.raises(DataError, match="cannot be read"):
        read_verdicts(tmp_path / "missing.csv", NAMES)


def judged(seed: int, count: int, shift: float) -> tuple[list[dict[str, float]], list[bool]]:
    """Half accepted, half rejected; `visible` is higher by `shift` for the accepted, `on_object` says nothing."""
    rng = np.random.default_rng(seed)
    said = [number % 2 == 0 for number in range(count)]
    scores = [{"visible": float(rng.normal(shift * good, 0.3)), "on_object": float(rng.random())} for good in said]
    return scores, said


def test_the_limit_lies_between_the_accepted_and_the_rejected():
    scores, said = judged(0, 40, 3.0)
    learned = learn_limits(scores, said)
    assert list(learned.least) == ["visible"]
    limit = learned.limits[0]
    good = [each["visible"] for each, accepted in zip(scores, said, strict=True) if accepted]
    bad = [each["visible"] for each, accepted in zip(scores, said, strict=True) if not accepted]
    assert limit.least == pytest.approx((min(good) + max(bad)) / 2)
    assert (limit.auroc, limit.kept, limit.dropped) == (1.0, 1.0, 1.0)
    assert (learned.held_out_kept, learned.held_out_dropped) == (1.0, 1.0)
    assert "visible from" in learned.sentence


def test_two_gates_are_learned_where_each_explains_some_rejections():
    scores = [{"visible": 3 + 0.01 * n, "on_object": 0.9 + 0.001 * n} for n in range(30)]
    scores += [{"visible": 1 + 0.01 * n, "on_object": 0.9 + 0.001 * n} for n in range(20)]
    scores += [{"visible": 3 + 0.01 * n, "on_object": 0.2 + 0.001 * n} for n in range(10)]
    learned = learn_limits(scores, [True] * 30 + [False] * 30)
    assert set(learned.least) == {"visible", "on_object"}
    assert sum(passes(each, learned.least) for each in scores[:30]) == 30
    assert sum(passes(each, learned.least) for each in scores[30:]) == 0


@pytest.mark.parametrize("few", [0, 1, LEAST - 1])
def test_too_few_verdicts_teach_nothing_and_it_is_said(few):
    scores = [{"visible": 3.0}] * 30 + [{"visible": 1.0}] * few
    learned = learn_limits(scores, [True] * 30 + [False] * few)
    assert learned.least == {}
    assert f"30 accepted and {few} rejected" in learned.sentence
    assert f"at least {LEAST}" in learned.sentence


def test_a_score_that_is_lower_for_accepted_images_is_never_turned_round():
    scores, said = judged(1, 60, -3.0)
    learned = learn_limits(scores, said)
    assert "visible" not in learned.least


def test_verdicts_without_any_relation_to_the_scores_seldom_teach_anything():
    learnt = [bool(learn_limits(*judged(seed, 30, 0.0)).least) for seed in range(60)]
    assert np.mean(learnt) <= 0.1


def test_a_gate_that_always_says_the_same_teaches_nothing():
    scores = [{"on_object": 1.0} for _ in range(40)]
    assert "no gate's score" in learn_limits(scores, [True] * 20 + [False] * 20).sentence


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(0, 4), gain=st.floats(0.1, 100))
def test_limits_follow_the_scores_and_never_accept_a_worse_image(seed, shift, gain):
    scores, said = judged(seed, 40, shift)
    least = learn_limits(scores, said).least
    grown = learn_limits([{gate: gain * value for gate, value in each.items()} for each in scores], said).least
    assert set(grown) == set(least)
    assert all(grown[gate] == pytest.approx(gain * value, rel=1e-6, abs=1e-9) for gate, value in least.items())
    for each in scores:
        better = {gate: value + 0.5 for gate, value in each.items()}
        assert passes(better, least) >= passes(each, least)


def test_a_score_that_an_image_lacks_is_not_held_against_it():
    assert passes({"visible": 1.0}, {"visible": 0.5, "realistic": 0.9})
    assert not passes({"visible": 0.1}, {"visible": 0.5})
