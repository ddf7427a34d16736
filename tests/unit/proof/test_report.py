import base64
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from flawsmith.proof.report.data import ClassPage, Neighbour, ReportData, Tile
from flawsmith.proof.report.headline import headline
from flawsmith.proof.report.pictures import SIDE, eight_bit, tile, view_of
from flawsmith.proof.report.render import render
from flawsmith.proof.statistics import METRICS


def difference(arm: str, metric: str) -> dict:
    return {"arm": arm, "other": "real", "metric": metric, "mean": 0.05, "low": -0.01, "high": 0.11}


ARM = {"seeds": 2, "metrics": {name: {"mean": 0.5, "low": 0.4, "high": 0.6, "sd": 0.01} for name in METRICS}}
WORTH = {"status": "said", "groups": 6.0, "more": 3.6, "low": 1.2, "high": None, "sentence": "worth about 3.6 <more>"}
PROOF = {
    "arms": [{"arm": name, **ARM} for name in ("real@3", "real", "real+synthetic")],
    "against_base": [difference("real+synthetic", name) for name in METRICS],
    "groups_per_class": {"real@3": 3.0, "real": 6.0},
    "shares": {"real+synthetic": {"chosen": 0.25, "tried": {"0.25": 0.5, "0.5": 0.4}}},
    "worth": {name: WORTH for name in METRICS},
    "curves": {"real-0": [{"step": 10, "pixel_ap": 0.2, "image_ap": 0.5}], "real+synthetic-0": []},
    "false_alarm_rate": 0.01,
    "pixel_ap_of_class": {"real@3": {}, "real": {"scratch": 0.25}, "real+synthetic": {"scratch": 0.375}},
    "recall_at_fpr": {"real@3": {}, "real": {"scratch": None}, "real+synthetic": {"scratch": 0.5}},
    "test": {"images": 9, "good": 4, "groups": 5},
    "steps": 10,
    "verdict": {
        "verdict": "no evidence",
        "sentence": "Not shown: <nothing>.",
        "metrics": {"pixel_macro_ap": "no evidence", "image_ap": "no evidence"},
        "candidate": "real+synthetic",
    },
}


@pytest.fixture
def data() -> ReportData:
    image, mask = np.full((90, 100, 1), 80, np.uint8), np.zeros((90, 100), bool)
    mask[40:50, 60:64] = True
    one = tile(image, mask, "visible: 0.1 < 1")
    page = ClassPage("scratch", 3, 2, 4, [one], [one], [one], {"visible": 2}, [Neighbour(one, one, 0.25)], {"7": 51.3})
    row = {
        "class": "scratch",
        **{f"{part}_{what}": 1 for part in ("train", "val", "test") for what in ("images", "groups")},
    }
    return ReportData("plates", "local", [page], PROOF, [row], [], "flawsmith run", "seed: 0", {"seed": "0"})


def test_the_page_needs_nothing_else_and_is_the_same_twice(data):
    page = render(data)
    assert page == render(data)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "No evidence that they help" in page
    assert "&lt;nothing&gt;" in page, "text from the data is escaped"
    assert "visible: 0.1 &lt; 1" in page
    assert "No shape was drawn from group 7: its masks are 51 times as large as is usual" in page
    assert "+5.0 <small>[-1.0, +11.0]" in page
    assert "chosen on validation images: real+synthetic 25 % (of 25, 50)." in page


def test_the_first_screen_comes_before_everything_else(data):
    page = render(data)
    first = page[page.index("<h1>") : page.index('id="pictures"')]
    assert "No evidence that they help" in first
    assert '<div class="number">50 %</div>' in first
    assert "95 % confidence: 40 % to 60 %. Real images alone: 50 %" in first
    assert '<div class="number">≈ 3.6</div>' in first
    assert "95 % confidence: 1.2 to more than 6, beside the 6 there are" in first
    assert "worth about 3.6 &lt;more&gt;" in page


def test_the_first_screen_shows_five_pictures_of_all_classes_in_turn(data):
    def page(label, count):
        return replace(data.classes[0], label=label, synthetic=[Tile(f"{label}{number}") for number in range(count)])

    shown = headline(replace(data, classes=[page("a", 9), page("b", 1), page("c", 9)])).pictures
    assert [each.picture for each in shown] == ["a0", "b0", "c0", "a1", "c1"]
    assert [each.note for each in shown] == ["a", "b", "c", "a", "c"]


@pytest.mark.parametrize(
    ("change", "number", "detail"),
    [
        ({"low": -0.5}, "≈ 3.6", "not sure, 95 % confidence: none to more than 6"),
        ({"status": "no gain", "more": None, "low": None}, "0", "worth about 3.6 <more>"),
        ({"status": "too far", "more": None, "low": None}, "–", "worth about 3.6 <more>"),
    ],
)
def test_a_worth_that_is_unsure_or_unknown_is_shown_as_such(data, change, number, detail):
    proof = {**PROOF, "worth": {name: {**WORTH, **change} for name in METRICS}}
    figures = headline(replace(data, proof=proof)).figures
    assert [each.number for each in figures] == ["50 %", number, number]
    assert figures[1].detail.startswith(detail)


def test_without_a_curve_the_first_screen_says_once_how_to_measure_one(data):
    few = {**WORTH, "status": "too few points", "more": None, "low": None, "sentence": "set proof.fewer_groups"}
    proof = {**PROOF, "groups_per_class": {"real": 6.0}, "worth": {name: few for name in METRICS}}
    assert len(headline(replace(data, proof=proof)).figures) == 2
    assert "(green)" not in render(replace(data, proof=proof))
    assert "(green)" in render(data)


def test_the_page_shows_classes_where_the_inspector_names_them(data):
    """And a dash where it marks no pixels."""
    assert "classes named by" not in render(data)
    unknown = {"mean": None, "low": None, "high": None, "sd": None}
    arms = [
        {**arm, "metrics": {**arm["metrics"], **{name: unknown for name in METRICS if name.startswith("pixel")}}}
        for arm in PROOF["arms"]
    ]
    row = {"images": 4, "precision": None, "recall": 0.25, "f1": 0.125}
    table = {
        "classes": ["good", "pit"],
        "confusion": [[71, 72], [73, 74]],
        "per_class": {"good": row, "pit": row},
        "macro": {"precision": 0.5, "recall": 0.25, "f1": 0.125},
    }
    looks = [{"step": step, "pixel_ap": None, "image_ap": 0.5, "macro_f1": 0.2} for step in (10, 20)]
    proof = {**PROOF, "arms": arms, "classes": {"real": table}, "curves": {"real-0": looks}}
    page = render(replace(data, proof=proof))
    assert "classes named by real" in page
    assert "<td>pit</td><td>4</td><td>–</td><td>0.250</td><td>0.125</td>" in page
    assert "<td>pit</td><td>73</td><td>74</td>" in page
    assert "image AP on validation" in page
    assert "pixel AUROC</text>" not in page.replace("\n", ""), "no empty panel is drawn"
    assert "<td>– <small>[–, –]</small></td>" in page


def test_a_course_of_one_look_is_no_curve(data):
    assert "no training looked at validation more than once" in render(data)
    looks = [{"step": step, "pixel_ap": 0.2, "image_ap": 0.5} for step in (5, 10)]
    page = render(replace(data, proof={**PROOF, "curves": {"real-0": looks}}))
    assert "pixel AP on validation" in page
    assert "more than once" not in page


def test_a_tile_shows_the_whole_defect_and_outlines_it():
    image, mask = np.zeros((300, 200, 3), np.uint8), np.zeros((300, 200), bool)
    mask[5:25, 150:198] = True
    window = view_of(mask)
    assert window.cut(mask).sum() == mask.sum()
    outline = tile(image, mask).outline.removeprefix("data:image/png;base64,")
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(outline))))
    assert pixels.shape == (SIDE, SIDE, 4)
    assert 0 < (pixels[..., 3] > 0).mean() < 0.2


def test_sixteen_bit_pictures_are_stretched():
    image = np.linspace(1000, 2000, 400).astype(np.uint16).reshape(20, 20, 1)
    shown = eight_bit(image)
    assert shown.min() == 0
    assert shown.max() == 255
