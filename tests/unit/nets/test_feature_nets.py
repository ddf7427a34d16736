"""The networks that others trained: their layout, and reading it from files."""

import pytest
import torch
from safetensors.torch import save_file

from flawsmith.core.errors import DataError
from flawsmith.nets.features.filling import fill
from flawsmith.nets.features.inception import FID_CLASSES, Inception3
from flawsmith.nets.features.known import open_inception, open_lpips_weights, open_vgg
from flawsmith.nets.features.vgg import STAGES, Vgg16
from flawsmith.nets.foreign import read_tensors

INCEPTION_PARAMETERS = 27_161_264 - 3_326_696
"""What torchvision states for its Inception v3, less the auxiliary head."""
VGG_PARAMETERS = 138_357_544 - 123_642_856
"""What torchvision states for its VGG-16, less the fully connected layers."""


def learnable(net):
    return sum(each.numel() for each in net.parameters())


@pytest.fixture(scope="module")
def inception():
    torch.manual_seed(0)
    return Inception3().eval()


def test_inception_has_the_layout_people_s_weights_have(inception):
    with torch.device("meta"):
        assert learnable(Inception3(1000)) == INCEPTION_PARAMETERS
    shapes = {name: tuple(value.shape) for name, value in inception.state_dict().items()}
    wanted = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6c.branch7x7dbl_5.conv.weight": (192, 160, 1, 7),
        "Mixed_6e.branch7x7_3.conv.weight": (192, 192, 7, 1),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7b.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
        "fc.weight": (FID_CLASSES, 2048),
    }
    assert {name: shapes[name] for name in wanted} == wanted


def test_inception_s_sizes_on_its_own_pictures(inception):
    with torch.inference_mode():
        seen = inception(torch.zeros(1, 3, 299, 299))
    assert seen.features.shape == (1, 2048)
    assert seen.logits.shape == (1, FID_CLASSES)
    assert [tuple(each.shape[1:]) for each in seen.maps] == [(192, 35, 35), (288, 35, 35), (768, 17, 17), (2048, 8, 8)]


def test_inception_from_files_and_what_does_not_fit(inception, tmp_path):
    weights = inception.state_dict()
    older = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    torch.save(older, tmp_path / "old.pth")
    save_file({**older, "AuxLogits.fc.bias": torch.zeros(3)}, tmp_path / "new.safetensors")
    x = torch.rand(1, 3, 80, 80)
    with torch.inference_mode():
        wanted = inception(x).features
        for name in ("old.pth", "new.safetensors"):
            assert torch.equal(open_inception(tmp_path / name)(x).features, wanted)
    del older["Mixed_5b.branch1x1.conv.weight"]
    save_file({**older, "head.weight": torch.zeros(3)}, tmp_path / "wrong.safetensors")
    with pytest.raises(DataError, match=r"missing Mixed_5b\.branch1x1\.conv\.weight; unexpected head\.weight"):
        open_inception(tmp_path / "wrong.safetensors")


def test_vgg_has_the_layout_people_s_weights_have(tmp_path):
    torch.manual_seed(0)
    net = Vgg16().eval()
    assert learnable(net) == VGG_PARAMETERS
    assert net.state_dict()["features.28.weight"].shape == (512, 512, 3, 3)
    assert len(net.state_dict()) == 2 * sum(map(len, STAGES))
    save_file({**net.state_dict(), "classifier.6.bias": torch.zeros(1000)}, tmp_path / "vgg.safetensors")
    x = 2 * torch.rand(2, 3, 32, 32) - 1
    with torch.inference_mode():
        seen, again = net(x), open_vgg(tmp_path / "vgg.safetensors")(x)
        normal = ((x + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
            [0.229, 0.224, 0.225]
        ).view(3, 1, 1)
        first = net.features[:4](normal)
    assert torch.equal(seen.features, again.features)
    assert seen.logits is None
    assert [tuple(each.shape[1:]) for each in seen.maps] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)
    ]  # fmt: skip
    torch.testing.assert_close(seen.maps[0], first, rtol=1e-4, atol=1e-5)


def test_they_are_torchvision_s():
    models = pytest.importorskip("torchvision.models")
    x = 2 * torch.rand(1, 3, 299, 299) - 1
    for theirs, ours in ((models.inception_v3(init_weights=False), Inception3(1000)), (models.vgg16(), Vgg16())):
        fill(ours, theirs.state_dict(), ("AuxLogits.", "classifier."))
        ours.eval()
        theirs.eval()
        with torch.inference_mode():
            seen = ours(x)
            if seen.logits is None:
                torch.testing.assert_close(seen.maps[-1], theirs.features[:30]((x - ours.shift) / ours.scale))
            else:
                torch.testing.assert_close(seen.logits, theirs(x))


def test_only_plain_tensors_are_read(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    torch.save({"a": 1}, tmp_path / "numbers.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("whole.pth", "numbers.pth", "text.pth", "text.safetensors", "nowhere.pth"):
        with pytest.raises(DataError, match=name):
            read_tensors(tmp_path / name)
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "inside.pth")
    assert read_tensors(tmp_path / "inside.pth")["a"].tolist() == [1, 1]


def test_another_shape_is_named_and_nothing_is_filled():
    net = torch.nn.Linear(2, 2)
    before = net.weight.clone()
    with pytest.raises(DataError, match=r"bias has shape \(3,\), expected \(2,\)"):
        fill(net, {"weight": torch.zeros(2, 2), "bias": torch.zeros(3)})
    assert torch.equal(net.weight, before)


def test_lpips_weights_are_read_in_order(tmp_path):
    torch.save(
        {f"lin{number}.model.1.weight": torch.full((1, 4, 1, 1), number) for number in (1, 0)}, tmp_path / "l.pth"
    )
    assert [each.tolist() for each in open_lpips_weights(tmp_path / "l.pth")] == [[0.0] * 4, [1.0] * 4]
    torch.save({"other": torch.zeros(1)}, tmp_path / "o.pth")
    with pytest.raises(DataError, match="does not hold the linear weights"):
        open_lpips_weights(tmp_path / "o.pth")
