import pytest

from flawsmith.proof.plateau import has_plateaued, is_flat
from flawsmith.proof.verdict import judge, judged


def gap(low, high, other="real+copy_paste"):
    return {"mean": (low + high) / 2, "low": low, "high": high, "other": other}


def verdict(pixel_best, image_best, pixel_base, image_base, converged=True, sets=3):
    best = {"pixel_macro_ap": gap(*pixel_best), "image_ap": gap(*image_best)}
    base = {"pixel_macro_ap": gap(*pixel_base, "real"), "image_ap": gap(*image_base, "real")}
    return judge("real+synthetic", best, base, converged, sets)


def test_helps_only_when_surely_better_than_the_best_other_arm():
    found = verdict((0.02, 0.1), (-0.01, 0.03), (0.05, 0.2), (0.0, 0.05))
    assert found["verdict"] == "helps"
    assert found["metrics"] == {"pixel_macro_ap": "helps", "image_ap": "no evidence"}
    assert "+6.0 points of class-mean pixel AP" in found["sentence"]
    assert "between +2.0 and +10.0" in found["sentence"]


def test_better_than_real_alone_but_not_than_copy_paste_is_no_evidence():
    found = verdict((-0.02, 0.06), (-0.02, 0.02), (0.05, 0.2), (0.01, 0.1))
    assert found["verdict"] == "no evidence"


def test_worse_than_copy_paste_but_not_than_real_is_not_called_hurting():
    found = verdict((-0.1, -0.02), (-0.02, 0.02), (-0.01, 0.1), (-0.01, 0.1))
    assert found["verdict"] == "no evidence"
    assert "real+copy_paste does better" in found["sentence"]


def test_one_hurt_metric_outweighs_a_helped_one():
    found = verdict((0.02, 0.1), (-0.2, -0.1), (0.05, 0.2), (-0.2, -0.1))
    assert found["verdict"] == "hurts"
    assert "Do not use" in found["sentence"]


@pytest.mark.parametrize(("converged", "words"), [(True, ""), (False, "still improving"), (None, "unknown")])
def test_the_sentence_cautions_about_unfinished_training(converged, words):
    calm = verdict((0.02, 0.1), (0, 0.1), (0.02, 0.1), (0, 0.1))["sentence"]
    found = verdict((0.02, 0.1), (0, 0.1), (0.02, 0.1), (0, 0.1), converged)["sentence"]
    assert words in found
    assert (found == calm) == (converged is True)


@pytest.mark.parametrize(("low", "sets", "said"), [(0.02, 1, True), (0.02, 2, False), (-0.2, 1, False)])
def test_a_verdict_on_the_images_of_one_fit_says_so(low, sets, said):
    found = verdict((low, 0.1), (0, 0.1), (0.02, 0.1), (0, 0.1), sets=sets)
    assert (found["verdict"], "one fit" in found["sentence"]) == ("helps" if low > 0 else "no evidence", said)


def test_an_undefined_metric_is_no_evidence():
    nan = float("nan")
    found = verdict((nan, nan), (0.01, 0.02), (nan, nan), (0.01, 0.02))
    assert found["metrics"]["pixel_macro_ap"] == "no evidence"
    assert "cannot be compared" in found["sentence"]


def looks(image_ap, pixel_ap):
    pairs = zip(image_ap, pixel_ap, strict=True)
    return [{"step": step, "image_ap": image, "pixel_ap": pixel} for step, (image, pixel) in enumerate(pairs)]


def test_plateau_needs_patience_and_forgives_noise():
    assert not is_flat([0.5, 0.5], 2, 0.0)
    assert is_flat([0.1, 0.6, 0.55, 0.58, 0.601], 3, 0.005)
    assert not is_flat([0.1, 0.6, 0.55, 0.58, 0.61], 3, 0.005)


def test_both_metrics_must_have_stopped():
    flat, rising = [0.5, 0.6, 0.6, 0.6], [0.1, 0.2, 0.3, 0.4]
    assert has_plateaued(looks(flat, flat), 2, 0.005)
    assert has_plateaued(looks(flat, rising), 2, 0.005) is False
    assert has_plateaued(looks([0.9, 0.6, 0.5, 0.4], rising), 2, 0.005) is False


def test_an_undefined_metric_is_not_waited_for():
    flat = [0.5, 0.6, 0.6, 0.6]
    assert has_plateaued(looks(flat, [None] * 4), 2, 0.005)
    assert has_plateaued(looks([None] * 4, [float("nan")] * 4), 2, 0.005) is None
    assert has_plateaued([], 2, 0.005) is None
    assert has_plateaued(looks(flat[:2], flat[:2]), 2, 0.005) is None, "two looks say nothing of two without a gain"


def arm(**means):
    known = {"image_ap": 0.9, "pixel_macro_ap": float("nan"), "macro_f1": float("nan"), **means}
    return {"arm": "real", "metrics": {name: {"mean": mean} for name, mean in known.items()}}


def test_an_inspector_of_classes_alone_is_judged_by_macro_f1():
    assert judged([arm(macro_f1=0.5), arm(macro_f1=0.6)]) == ("macro_f1", "image_ap")
    assert judged([arm(pixel_macro_ap=0.5), arm(pixel_macro_ap=0.6)]) == ("pixel_macro_ap", "image_ap")
    assert judged([arm(pixel_macro_ap=0.5, macro_f1=0.5)]) == ("pixel_macro_ap", "image_ap")
    assert judged([arm()]) == ("pixel_macro_ap", "image_ap"), "a segmenter whose test images have no masks"


def test_the_verdict_speaks_of_classes():
    best = {"macro_f1": gap(0.02, 0.1), "image_ap": gap(-0.01, 0.03)}
    base = {"macro_f1": gap(0.02, 0.1, "real"), "image_ap": gap(-0.01, 0.03, "real")}
    found = judge("real+synthetic", best, base, True)
    assert found["verdict"] == "helps"
    assert found["metrics"] == {"macro_f1": "helps", "image_ap": "no evidence"}
    assert "At naming the defect's class it beats" in found["sentence"]
    assert "+6.0 points of macro F1" in found["sentence"]


def test_macro_f1_must_have_stopped_too():
    flat, rising = [0.5, 0.6, 0.6, 0.6], [0.1, 0.2, 0.3, 0.4]
    named = [{**look, "macro_f1": value} for look, value in zip(looks(flat, [None] * 4), rising, strict=True)]
    assert has_plateaued(named, 2, 0.005) is False
    assert has_plateaued([{**look, "macro_f1": 0.5} for look in named], 2, 0.005)
