"""A whole proof by anomalib's detectors: nothing in it knows them apart from ours."""

import shutil

import pytest

pytest.importorskip("anomalib", reason="anomalib is not installed: pip install 'flawsmith[anomalib]'")

from flawsmith.core.files import sha256_file
from flawsmith.data.splits import Splits, write_splits
from flawsmith.proof.arms import Arm
from flawsmith.proof.prove import prove
from flawsmith.proof.schema import Results
from flawsmith.proof.settings import ProofSettings
from plate_world import write_plates

TINY = {"backbone": "test_resnet", "weights": "random", "size": 72, "batch": 4}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("witness")
    parts = [
        write_plates(root / name, {"good": 4, "dent": 3}, seed) for seed, name in enumerate(("train", "val", "test"))
    ]
    write_splits(Splits(*parts), root / "split")
    made = Arm(write_plates(root / "made", {"dent": 4}, 9))
    return {"train": parts[0], "val": parts[1], "split_folder": root / "split", "arms": {"real": Arm(), "both": made}}


def proven(world, inspector, folder, **more):
    settings = ProofSettings(
        inspector=inspector, inspector_options=TINY, seeds=1, steps=4, check_every=2, bootstrap=20, workers=1, **more
    )
    return prove(**world, settings=settings, folder=folder)


def test_supersimplenet_is_proven_with_and_resumes(world, tmp_path):
    proof = proven(world, "supersimplenet", tmp_path)
    Results.model_validate(proof.results, strict=True)
    assert {row["arm"] for row in proof.rows} == {"real", "both"}
    assert all(0 <= row[name] <= 1 for row in proof.rows for name in ("image_ap", "pixel_ap", "image_auroc"))
    assert all(row["macro_f1"] is None for row in proof.rows)
    assert set(proof.verdict["metrics"]) == {"image_ap", "pixel_macro_ap"}
    assert [look["step"] for look in proof.results["curves"]["real-0"]] == [2, 4]
    before = sha256_file(tmp_path / "results.json")
    shutil.rmtree(tmp_path / "units" / "both-0")
    proven(world, "supersimplenet", tmp_path)
    assert sha256_file(tmp_path / "results.json") == before


def test_all_arms_of_a_one_class_detector_are_equal(world, tmp_path):
    proof = proven(world, "patchcore", tmp_path)
    ours, theirs = ({key: value for key, value in row.items() if key not in ("arm", "seconds")} for row in proof.rows)
    assert ours == theirs
    assert {each["mean"] for each in proof.results["against_base"]} <= {0.0, None}
    assert proof.verdict["verdict"] == "no evidence"
