"""The further arms of a proof, in a whole run."""

import pytest
from tiny import TINY

import flawsmith
from flawsmith.core.errors import SettingsError
from flawsmith.core.settings import resolve
from flawsmith.proof.schema import Results
from flawsmith.recipes.settings import RunSettings

WANTED = ['arms=["augmented","unfiltered","synthetic_only","all_real"]', "split.shots=2", "split.surplus=spare"]


def test_every_arm_asked_for_is_compared_and_reported(tmp_path):
    options = ['controls=["copy_paste","perlin"]', "proof.fewer_groups=[1]"]
    settings = resolve(RunSettings, None, [*TINY, *WANTED, *options])
    done = flawsmith.run("demo", tmp_path / "run", settings=settings)
    arms = [row["arm"] for row in done.results["rows"]]
    assert arms == [
        "real@1",
        "real",
        "all_real",
        "real+augmentation",
        "real+copy_paste",
        "real+perlin",
        "real+unfiltered",
        "synthetic",
        "real+synthetic",
    ]
    page = done.report.read_text()
    assert all(f"<td>{arm}</td>" in page for arm in arms)
    assert done.results["verdict"]["candidate"] == "real+synthetic"
    assert done.results["ceilings"] == {"all_real": 3}
    assert "learns from all 3 real groups per class" in page
    Results.model_validate(done.results, strict=True)
    assert "| real@1 | real |" in (done.report.parent / "model_card.md").read_text()
    assert "| control_perlin |" in (done.report.parent / "data_card.md").read_text()


def test_a_ceiling_without_defects_set_aside_is_refused_at_once():
    with pytest.raises(SettingsError, match=r"set split\.surplus=spare"):
        resolve(RunSettings, None, ["arms=[all_real]"])
