"""A whole proof with an inspector that names classes and marks no pixels."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, f1_score

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import read_json, sha256_tree
from flawsmith.core.records import GOOD, Catalog, Entry, Findings
from flawsmith.data.loading import load_sample
from flawsmith.data.sealed import open_test
from flawsmith.data.splits import Splits, write_splits
from flawsmith.inspectors import INSPECTORS
from flawsmith.metrics.classes import decision_threshold
from flawsmith.proof import numbers
from flawsmith.proof.arms import Arm
from flawsmith.proof.prove import prove
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.work import likeliest_defect

TINY = {"width": 4, "stages": 2, "size": 24, "batch": 8, "learning_rate": 1e-2}
SETTINGS = ProofSettings(
    inspector="classifier_small", seeds=2, steps=24, check_every=12, bootstrap=50, workers=1, inspector_options=TINY
)
CLASSES = ("good", "dark", "light")


def plates(root, seed, **counts):
    """Noise plates with a dark or a light square; nobody has drawn a mask."""
    rng, entries = np.random.default_rng(seed), []
    root.mkdir(parents=True)
    for label, count in counts.items():
        for number in range(count):
            image, name = rng.normal(128, 12, (32, 32)), f"{label}-{number}"
            if label != GOOD:
                top, left = rng.integers(2, 20, 2)
                image[top : top + 10, left : left + 10] += -60 if label == "dark" else 60
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"{name}.png")
            entries.append(Entry(name, root / f"{name}.png", label, f"{root.name}-{name}"))
    return Catalog(root.name, root, "test", tuple(entries))


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    """The folder of a finished proof, what it found, and what it was made of."""
    root = tmp_path_factory.mktemp("classes")
    train, val = plates(root / "train", 1, good=4, dark=2, light=2), plates(root / "val", 2, good=4, dark=3, light=3)
    write_splits(Splits(train, val, plates(root / "test", 3, good=5, dark=4, light=3)), root / "split")
    world = {
        "train": train,
        "val": val,
        "split_folder": root / "split",
        "arms": {"real": Arm(), "real+synthetic": Arm(plates(root / "made", 4, dark=4, light=4))},
    }
    return root / "proof", prove(**world, settings=SETTINGS, folder=root / "proof"), world


def said_of(folder, catalog):
    inspector = INSPECTORS["classifier_small"].load(folder / "units" / "real-0" / "model")
    findings = inspector.inspect([load_sample(entry).image for entry in catalog])
    names = [findings.classes[1 + place] for place in findings.class_probabilities[:, 1:].argmax(1)]
    return np.array([entry.label for entry in catalog]), findings.image_scores.astype(np.float64), np.array(names)


def test_the_rows_are_those_of_scikit_learn(proven):
    folder, proof, world = proven
    row = proof.rows[0]
    labels, scores, _ = said_of(folder, world["val"])
    threshold = decision_threshold(labels != GOOD, scores)
    assert read_json(folder / "units" / "real-0" / "result.json")["threshold"] == pytest.approx(threshold)
    labels, scores, names = said_of(folder, open_test(world["split_folder"]))
    named = np.where(scores >= threshold, names, GOOD)
    assert row["accuracy"] == pytest.approx(accuracy_score(labels, named))
    assert row["macro_f1"] == pytest.approx(f1_score(labels, named, average="macro"))
    assert row["image_ap"] == pytest.approx(average_precision_score(labels != GOOD, scores))
    assert [row[name] for name in ("pixel_auroc", "pixel_ap", "pixel_macro_ap", "pixel_f1_max", "pixel_pro")] == [
        None
    ] * 5
    confusion = np.array(read_json(folder / "results.json")["classes"]["real"]["confusion"])
    assert confusion.sum() == 2 * len(labels), "both seeds are counted"
    assert (confusion >= confusion_matrix(labels, named, labels=CLASSES)).all()


def test_results_hold_classes_intervals_and_a_verdict_on_them(proven):
    _, proof, _ = proven
    json.dumps(proof.results, allow_nan=False)
    assert set(proof.verdict["metrics"]) == {"macro_f1", "image_ap"}
    assert "macro F1" in proof.verdict["sentence"]
    for arm in proof.results["arms"]:
        found, pixels = arm["metrics"]["macro_f1"], arm["metrics"]["pixel_ap"]
        assert 0 <= found["low"] <= found["high"] <= 1
        assert pixels == {"mean": None, "sd": None, "low": None, "high": None}
        table = proof.results["classes"][arm["arm"]]
        assert table["classes"] == list(CLASSES)
        assert [table["per_class"][label]["images"] for label in CLASSES] == [5, 4, 3]
        assert table["macro"]["f1"] == pytest.approx(found["mean"])
    assert all(0 <= look["macro_f1"] <= 1 for look in proof.results["curves"]["real-0"])
    assert all(look["pixel_ap"] is None for look in proof.results["curves"]["real-0"])


def test_a_proof_killed_in_training_resumes_to_the_same_files(proven, tmp_path):
    folder, _, world = proven

    def strike(task, done, total, note=""):
        if (task, done) == ("train real+synthetic-0", 24):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prove(**world, settings=SETTINGS, folder=tmp_path / "proof", progress=strike)
    prove(**world, settings=SETTINGS, folder=tmp_path / "proof")
    skip = ("timing.json",)
    assert sha256_tree(tmp_path / "proof", skip=skip) == sha256_tree(folder, skip=skip)


def test_a_missing_package_is_said_before_any_work(proven, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    settings = SETTINGS.model_copy(update={"inspector": "classifier", "inspector_options": {}})
    with pytest.raises(SettingsError, match=r"flawsmith\[timm\]"):
        prove(**proven[2], settings=settings, folder=tmp_path / "proof")
    assert not (tmp_path / "proof").exists()


def images(*rows):
    names = ("group", "label", "score", "named")
    return [{"id": str(number), **dict(zip(names, row, strict=True))} for number, row in enumerate(rows)]


def test_numbers_of_two_seeds_worked_by_hand():
    first = images(("a", "good", 0.1, "dark"), ("b", "dark", 0.9, "dark"), ("b", "light", 0.8, "dark"))
    second = images(("a", "good", 0.6, "light"), ("b", "dark", 0.9, "dark"), ("b", "light", 0.8, "light"))
    results = [{"arm": "real", "threshold": 0.5, "images": each} for each in (first, second)]
    table = numbers.class_tables(results, ["real"])["real"]
    assert table["confusion"] == [[1, 0, 1], [0, 2, 0], [0, 1, 1]]
    assert table["per_class"]["dark"] == {"images": 1, "precision": 0.75, "recall": 1.0, "f1": pytest.approx(5 / 6)}
    assert table["per_class"]["light"]["precision"] == 0.5, "of the one seed that named it"
    by_group = numbers.confusions(first, 0.5, CLASSES)
    assert by_group.tolist() == [[[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0], [0, 1, 0]]]


def test_an_inspector_without_classes_has_no_threshold_and_no_table():
    plain = images(("a", "good", 0.1, None), ("b", "dark", 0.9, None))
    assert numbers.threshold_of(plain) is None
    assert numbers.class_numbers(plain, None) == {"accuracy": None, "macro_f1": None}
    assert numbers.class_tables([{"arm": "real", "threshold": None, "images": plain}], ["real"]) == {}
    assert likeliest_defect(Findings(np.zeros(1, np.float32))) is None
