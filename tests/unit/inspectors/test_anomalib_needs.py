"""anomalib's detectors are asked for what they need before any work; none of this needs anomalib itself."""

import sys
from importlib.util import find_spec

import pytest

from flawsmith.core.errors import SettingsError
from flawsmith.inspectors import INSPECTORS, needs
from flawsmith.proof.asked import check_inspector
from flawsmith.proof.settings import ProofSettings
from flawsmith.recipes.run import check_choices
from flawsmith.recipes.settings import RunSettings

NAMES = ["supersimplenet", "patchcore", "padim"]


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: "there" if name == "anomalib" else find_spec(name))


@pytest.mark.parametrize("name", NAMES)
def test_without_anomalib_the_error_names_the_extra(name, plates, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anomalib", None)
    family, told = INSPECTORS[name], r"pip install 'flawsmith\[anomalib\]'"
    with pytest.raises(SettingsError, match=told):
        family.course(plates(good=1, dent=1), None, family.settings(weights="random"), seed=0)
    with pytest.raises(SettingsError, match=told):
        family.load(tmp_path)
    with pytest.raises(SettingsError, match=told):
        check_choices(RunSettings(proof=ProofSettings(inspector=name, inspector_options={"weights": "random"})))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("installed")
def test_the_backbone_must_be_said(name, tmp_path):
    with pytest.raises(SettingsError, match="or say weights=random"):
        check_inspector(ProofSettings(inspector=name))
    missing = {"weights": str(tmp_path / "none.safetensors")}
    with pytest.raises(SettingsError, match="no weights at"):
        check_inspector(ProofSettings(inspector=name, inspector_options=missing))
    check_inspector(ProofSettings(inspector=name, inspector_options={"weights": "random"}))


def test_options_that_cannot_be_are_refused_before_any_work():
    with pytest.raises(SettingsError, match="unknown inspector option 'widht'; did you mean 'width'"):
        check_choices(RunSettings(proof=ProofSettings(inspector_options={"widht": 3})))
    with pytest.raises(SettingsError, match="greater than or equal to 4"):
        check_choices(RunSettings(proof=ProofSettings(inspector_options={"width": 3})))
    with pytest.raises(SettingsError, match="unknown inspector 'unets'"):
        check_choices(RunSettings(proof=ProofSettings(inspector="unets")))
