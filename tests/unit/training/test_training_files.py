import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from safetensors.torch import save_file
from torch import nn

from flawsmith.core.errors import ImageError, SettingsError, StageError
from flawsmith.training.device import autocast_for, has_fast_bf16, pick_device
from flawsmith.training.feed import to_image, to_tensor
from flawsmith.training.weights import load_weights, save_net


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_border(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, 16, -1, 1)
    x = to_tensor(levels, 1)
    assert x.dtype == torch.float32
    assert (x.min().item(), x.max().item()) == (-1.0, pytest.approx(1.0, abs=1e-6))
    assert np.array_equal(to_image(x, dtype), levels)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_colour_images_survive_the_border(data):
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])))
    images = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, np.iinfo(dtype).max + 1, shape, dtype)
    x = to_tensor(list(images), shape[3])
    assert tuple(x.shape) == (shape[0], shape[3], shape[1], shape[2])
    assert np.array_equal(to_image(x, dtype), images)


def test_rounding_goes_away_from_zero_and_clips():
    x = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5]).view(1, 1, 1, 5)  # 0 lies half way between two levels
    assert to_image(x, np.uint8).ravel().tolist() == [0, 0, 128, 255, 255]
    assert to_image(x, np.uint16).ravel().tolist() == [0, 0, 32768, 65535, 65535]


def test_grey_and_colour_change_into_each_other():
    colour = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    grey = to_image(to_tensor([colour], 1), np.uint8)[0, ..., 0].astype(int)
    assert np.abs(grey - np.asarray(Pillow.fromarray(colour).convert("L"), int)).max() <= 1
    flat = colour[..., :1]
    assert np.array_equal(to_image(to_tensor([flat], 3), np.uint8)[0], np.repeat(flat, 3, 2))
    assert np.array_equal(to_tensor([flat[..., 0]], 1), to_tensor([flat], 1))


@pytest.mark.parametrize(
    ("images", "channels", "words"),
    [
        ([np.zeros((4, 4, 3), np.float32)], 3, "float32"),
        ([np.zeros((4, 4, 2), np.uint8)], 3, "1 or 3 channels"),
        ([np.zeros((4, 4, 3), np.uint8)], 2, "asked for 2 channels"),
        ([np.zeros((4, 4, 1), np.uint8), np.zeros((4, 5, 1), np.uint8)], 1, "one size"),
        ([], 1, "one size"),
    ],
)
def test_what_the_border_refuses(images, channels, words):
    with pytest.raises(ImageError, match=words):
        to_tensor(images, channels)


def test_weights_come_back_and_give_equal_bytes(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    save_net(tmp_path / "a.safetensors", net, {"b": [1, 2], "a": {"x": None}})
    save_net(tmp_path / "b.safetensors", net, {"a": {"x": None}, "b": [1, 2]})
    tensors, config = load_weights(tmp_path / "a.safetensors")
    other = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    other.load_state_dict(tensors)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in other.state_dict().items())
    assert config == {"a": {"x": None}, "b": [1, 2]}
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert json.dumps(config)


def test_wrong_weights_are_explained(tmp_path):
    with pytest.raises(StageError, match=r"no weights at .*run the stage"):
        load_weights(tmp_path / "none")
    (tmp_path / "text").write_text("hello, this is not a network")
    with pytest.raises(StageError, match="not a safetensors file"):
        load_weights(tmp_path / "text")
    save_file({"x": torch.zeros(1)}, tmp_path / "strange")
    with pytest.raises(StageError, match="no flawsmith configuration"):
        load_weights(tmp_path / "strange")


def test_devices_by_name():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SettingsError, match="unknown device 'gpu'"):
        pick_device("gpu")
    with pytest.raises(SettingsError, match="usable CUDA devices; use 'auto'"):
        pick_device("cuda:99")


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_precision_decides_the_type_inside(precision):
    cpu = torch.device("cpu")
    with autocast_for(cpu, precision):
        made = nn.Linear(2, 2)(torch.zeros(1, 2)).dtype
    low = precision == "bf16" or (precision == "auto" and has_fast_bf16(cpu))
    assert made == (torch.bfloat16 if low else torch.float32)
