"""A latent diffusion model of a few thousand random weights, in the folder that diffusers would save it in."""

from pathlib import Path

import pytest
import torch

from flawsmith.core.files import write_json

WIDTH = 12
"""Length of its tokens."""


def write_pipeline(folder: Path, seed: int = 0, prediction: str = "epsilon", **unet) -> Path:
    """Write autoencoder (which shrinks by 4), U-Net and scheduler; `unet` are other settings of the U-Net."""
    diffusers = pytest.importorskip("diffusers")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(4, 4, 8),
            norm_num_groups=2,
            layers_per_block=1,
            sample_size=32,
            scaling_factor=0.5,
        )
        told = {
            "sample_size": 8,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "block_out_channels": (8, 16),
            "norm_num_groups": 4,
            "layers_per_block": 1,
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 2,
        }
        net = diffusers.UNet2DConditionModel(**{**told, **unet})
        for name, weight in net.named_parameters():
            if "attn2" in name:
                weight.data *= 4  # or what tokens say would drown in what convolutions do
    scheduler = diffusers.PNDMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction,
        skip_prk_steps=True,
        set_alpha_to_one=False,
    )
    vae.save_pretrained(folder / "vae")
    net.save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline"})
    return folder
