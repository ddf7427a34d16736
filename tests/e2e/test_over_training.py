"""States of training that are kept are measured, each, and shown in the report."""

from tiny import TINY

import flawsmith
from flawsmith.core.files import read_json
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings


def test_quality_is_measured_at_every_state_that_was_kept(tmp_path):
    options = ["local.checkpoints=2", "generate.plan.per_class=4"]
    done = flawsmith.run("demo", tmp_path, settings=resolve(RunSettings, None, [*TINY, *options]))
    found = read_json(tmp_path / "quality" / "over_training.json")
    assert [row["step"] for row in found["rows"]] == [10, 20, 30]
    assert found["net"]["name"] == "in_domain"
    for row in found["rows"]:
        assert 0.5 < row["ssim_outside"] <= 1
        assert row["lpips_outside"] >= 0
        assert row["kid"] is not None
        assert row["paintings"] > 12
    assert len({row["kid"] for row in found["rows"]}) == 3, "each state paints otherwise"
    page = done.report.read_text()
    assert "<h4>over training</h4>" in page
    assert "SSIM outside the defects" in page
    model = tmp_path / "fit" / "model"
    assert sorted(each.name for each in (model / "checkpoints").iterdir()) == ["0000010", "0000020"]


def test_a_run_that_keeps_none_is_fitted_as_before(tmp_path):
    flawsmith.run("demo", tmp_path, settings=resolve(RunSettings, None, TINY), until="fit")
    assert "checkpoints" not in read_json(tmp_path / "fit" / "manifest.json")["settings"]["settings"]
    assert not (tmp_path / "fit" / "model" / "checkpoints").exists()
