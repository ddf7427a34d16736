"""The cards say what the manifests say, and nothing in a name becomes mark-up."""

from dataclasses import replace

import pytest

from flawsmith.core.records import GOOD
from flawsmith.core.store import Manifest
from flawsmith.proof.report.cards import CardData, data_card, escaped, model_card, table
from flawsmith.proof.statistics import METRICS

VERSIONS = {"flawsmith": "9.8.7", "python": "3.x"}
WORTH = {"status": "said", "groups": 6.0, "more": 3.6, "low": 1.2, "high": None, "sentence": "worth about 3.6 more"}
ESTIMATE = {"mean": 0.625, "sd": 0.01, "low": 0.5, "high": None}
ARMS = ("real", "real+synthetic")


def manifest(stage, settings=None, counts=None, files=()):
    return Manifest(stage, settings or {}, {"data": f"{stage}-input"}, counts or {}, dict(files), VERSIONS)


def result_row(arm, seed, converged):
    return {"arm": arm, "seed": seed, "steps": 40, "converged": converged}


@pytest.fixture
def data() -> CardData:
    counts = {"quota": {"scratch": 30}, "accepted": {"scratch": 28}, "attempts": 77, "rejected": {"not_a_copy": 5}}
    kit = {"composite": {"core_px": 1.0, "feather_px": 2.5}}
    units = {f"units/{arm}-{seed}/model/net.safetensors": f"sha-{arm}-{seed}" for arm in ARMS for seed in (0, 1)}
    stages = [
        manifest("check"),
        manifest("split", {"shots": 8, "seed": 0}),
        manifest("fit", {"generator": "local", "settings": {"net": {"widths": [8, 16]}}}, {"good_images": 41},
                 {"model/local.safetensors": "sha-of-the-generator"}),
        manifest("generate", {"kit": kit, "generate": {"batch": 4}}, counts),
        manifest("filter", {"least": {}}),
        manifest("export", {"formats": ["coco", "yolo"]}),
        manifest("prove", {"inspector": "unet_small"}, files=units),
        manifest("control_perlin", counts={"accepted": {"scratch": 31}}),
    ]  # fmt: skip
    proof = {
        "arms": [{"arm": arm, "seeds": 2, "metrics": dict.fromkeys(METRICS, ESTIMATE)} for arm in ARMS],
        "rows": [result_row(arm, seed, bool(seed)) for arm in ARMS for seed in (0, 1)],
        "verdict": {
            "verdict": "helps",
            "sentence": "Use them.",
            "candidate": "real+synthetic",
            "metrics": {"pixel_macro_ap": "helps", "image_ap": "no evidence"},
        },
        "worth": dict.fromkeys(METRICS, WORTH),
        "pixel_ap_of_class": {"real": {"scratch": 0.125}, "real+synthetic": {"scratch": 0.5}},
        "recall_at_fpr": {"real": {"scratch": 0.25}, "real+synthetic": {"scratch": 0.75}},
        "false_alarm_rate": 0.02,
        "steps": 40,
        "test": {"images": 90, "good": 60, "groups": 33},
    }
    parts = {"train": (13, 6), "val": (4, 2), "test": (32, 16)}
    numbers = {
        f"{part}_{what}": n for part, both in parts.items() for what, n in zip(("images", "groups"), both, strict=True)
    }
    rows = [{"class": label, **numbers} for label in (GOOD, "scratch")]
    return CardData(
        "plates", {each.stage: each for each in stages}, proof, rows, {"warning": 3}, {"scratch": 27},
        {"scratch": {"visible": 2.5}},
    )  # fmt: skip


def test_the_model_card_holds_counts_hashes_settings_metrics_verdict_and_limits(data):
    card = model_card(data)
    assert card == model_card(data)
    assert "Inspector unet_small: finds defects of the classes scratch in photographs like those of plates" in card
    assert "**helps**: Use them." in card
    assert "- class-mean pixel AP: worth about 3.6 more." in card
    assert "| class-mean pixel AP | 0.625 [0.500, –] | 0.625 [0.500, –] |" in card
    assert "| scratch | 0.250 | 0.750 |" in card
    assert "2 % of the 60 good test images are 1.2 images" in card
    assert "stopped improving on validation: 1 of 2; still improving: 1; unknown: 0" in card
    assert "| units/real+synthetic-1/model/net.safetensors | sha-real+synthetic-1 |" in card
    assert "sha-real-0" not in card, "the inspectors of other arms are not the model"
    assert "| model/local.safetensors | sha-of-the-generator |" in card
    assert "| settings.net.widths | 8, 16 |" in card
    assert f"| generate | {data.stages['generate'].digest} |" in card


def test_the_data_card_holds_counts_split_gates_and_how_to_tell_them_apart(data):
    card = data_card(data)
    assert "| scratch | 13 | 6 | 4 | 2 | 32 | 16 |" in card
    assert "| shots | 8 |" in card
    assert "Noticed by the check: warning 3." in card
    assert "| scratch | 30 | 28 | 27 |" in card
    assert "in 77 attempts" in card
    assert "| not_a_copy | 5 |" in card
    assert "farther than 3.5 px" in card
    assert "| scratch | 2.500 |" in card
    assert "| control_perlin | 31 |" in card
    assert "flawsmith:birth" in card
    assert "In the exports (coco, yolo)" in card
    assert "the owner of the photographs decides" in card


def test_a_run_without_exports_controls_or_problems_has_a_card(data):
    stages = {name: each for name, each in data.stages.items() if name not in ("export", "control_perlin")}
    card = data_card(replace(data, stages=stages, problems={}))
    assert "Noticed by the check: nothing." in card
    assert "exports" not in card
    assert "for comparison only" not in card


@pytest.mark.parametrize("write", [model_card, data_card])
def test_names_from_the_data_become_no_mark_up(data, write):
    evil = "a|b\n# <script>alert(1)</script> [x](http://example.org) *c*"
    rows = [{**data.split_rows[1], "class": evil}]
    card = write(replace(data, name=evil, split_rows=rows))
    assert "<script" not in card
    assert "\n# <" not in card
    assert "[x](" not in card.replace("\\[x]", "")
    widths = {line.replace("\\|", "").count("|") for line in card.splitlines() if "script" in line and line[:1] == "|"}
    assert widths <= {3, 4, 8}


def test_every_table_has_as_many_cells_in_each_line_and_stands_apart(data):
    for card in (model_card(data), data_card(data)):
        blocks = [block.splitlines() for block in card.split("\n\n") if block.startswith("|")]
        assert len(blocks) > 4
        for block in blocks:
            assert len({line.replace("\\|", "").count("|") for line in block}) == 1, block
            assert all(line.startswith("|") for line in block), block


def test_cells_are_escaped_once():
    assert table(["a|b"], [["*"]]) == "| a\\|b |\n| --- |\n| \\* |"
    assert escaped(table(["a|b"], [])) == table(["a|b"], [])
    assert escaped("real+copy_paste") == "real+copy_paste"
