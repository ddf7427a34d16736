"""A timm network inside the classifier: weights of a tiny model are made here, nothing is downloaded."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from flawsmith.core.errors import SettingsError
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.classify.backbone import Backbone
from flawsmith.inspectors.timm_nets import begin_with, timm_net

timm = pytest.importorskip("timm", reason="timm is not installed: pip install 'flawsmith[timm]'")

NAME = "test_resnet"
FAMILY = INSPECTORS["classifier"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(timm.create_model(NAME, pretrained=False).state_dict(), path)
    return path


def course(plates, **options):
    settings = FAMILY.settings(backbone=NAME, size=32, batch=4, **options)
    return FAMILY.course(plates(good=2, dent=2), None, settings, seed=0)


def test_weights_of_a_file_are_begun_with_and_said(plates, weights, tmp_path):
    news = []
    made = course(plates, weights=weights)
    inspector = made.advance(2, tmp_path, progress=lambda *each: news.append(each))
    assert news[0][3].startswith(f"{NAME} from tiny.safetensors (sha256 ")
    assert inspector.card.begun == news[0][3]
    assert course(plates).card.begun == f"{NAME} from scratch"
    net = Backbone(NAME, 2)
    begin_with(net.body, weights)
    given = timm.create_model(NAME, pretrained=False)
    given.load_state_dict(load_file(weights))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    normalised = ((x + 1) / 2 - net.mean) / net.std
    assert torch.equal(net.eval().body.forward_features(normalised), given.eval().forward_features(normalised))
    assert net(x).shape == (1, 2)


def test_a_pth_file_serves_as_well(weights, tmp_path):
    state = timm.create_model(NAME, pretrained=False).state_dict()
    torch.save({"state_dict": {f"module.{name}": each for name, each in state.items()}}, tmp_path / "tiny.pth")
    net = Backbone(NAME, 3)
    begin_with(net.body, tmp_path / "tiny.pth")
    assert torch.equal(net.body.state_dict()["conv1.0.weight"], state["conv1.0.weight"])


def test_weights_of_another_model_are_refused(tmp_path):
    save_file(timm.create_model("test_convnext", pretrained=False).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(SettingsError, match=r"missing, unknown or of another shape"):
        begin_with(timm_net(NAME), tmp_path / "other.safetensors")


def test_an_unknown_backbone_is_refused():
    with pytest.raises(SettingsError, match="no model 'test_resnt'"):
        Backbone("test_resnt", 2)


def test_weights_that_are_not_there_are_refused(plates, tmp_path):
    with pytest.raises(SettingsError, match="no weights at"):
        course(plates, weights=tmp_path / "none.safetensors").advance(1, tmp_path)
