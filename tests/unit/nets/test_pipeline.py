"""Folders of pipelines: what is read, what is refused and how it is said."""

import shutil

import pytest
import torch

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, write_json
from flawsmith.nets.pipeline import FILES, SCHEDULER, UNET, VAE, open_pipeline, pipeline_files
from toy_pipeline import write_pipeline


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("pipeline"))


def test_a_folder_is_opened_frozen_and_known_by_its_files(whole, tmp_path):
    opened = open_pipeline(whole)
    for network in (opened.vae, opened.unet):
        assert not network.training
        assert not any(each.requires_grad for each in network.parameters())
        assert {each.dtype for each in network.parameters()} == {torch.float32}
    wanted = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    assert torch.allclose(opened.betas_T, wanted, rtol=1e-4)
    assert opened.prediction == "epsilon"
    files = pipeline_files(whole)
    assert set(files) == set(FILES)
    other = pipeline_files(write_pipeline(tmp_path / "other", seed=1))
    assert {name for name in files if files[name] != other[name]} == {name for name in FILES if "safetensors" in name}


def test_half_precision_is_brought_to_full(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "half")
    open_pipeline(whole).unet.half().save_pretrained(tmp_path / "half" / "unet")
    assert {each.dtype for each in open_pipeline(tmp_path / "half").unet.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_is_named(whole, tmp_path, name):
    shutil.copytree(whole, tmp_path / "broken")
    (tmp_path / "broken" / name).unlink()
    with pytest.raises(DataError, match=f"lacks {name}"):
        pipeline_files(tmp_path / "broken")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (VAE, {"_class_name": "VQModel"}, "is of VQModel, expected AutoencoderKL"),
        (UNET, {"_class_name": "UNet2DModel"}, "is of UNet2DModel"),
        (UNET, {"in_channels": 9}, "inpainting"),
        (UNET, {"addition_embed_type": "text_time"}, "addition_embed_type"),
        (UNET, {"cross_attention_dim": [12, 16]}, "several lengths"),
        (SCHEDULER, {"prediction_type": "flow"}, "prediction_type flow"),
        (SCHEDULER, {"beta_start": None}, "does not say beta_start"),
    ],
)
def test_a_model_of_another_kind_is_refused(whole, tmp_path, name, change, said):
    shutil.copytree(whole, tmp_path / "other")
    config = {**read_json(whole / name), **change}
    write_json(tmp_path / "other" / name, {key: value for key, value in config.items() if value is not None})
    with pytest.raises(DataError, match=said):
        open_pipeline(tmp_path / "other")


def test_damaged_weights_and_settings_are_said(whole, tmp_path):
    for name in (f"unet/{'diffusion_pytorch_model.safetensors'}", UNET):
        shutil.copytree(whole, tmp_path / "damaged", dirs_exist_ok=True)
        (tmp_path / "damaged" / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DataError, match="cannot be"):
            open_pipeline(tmp_path / "damaged")
