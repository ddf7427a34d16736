"""A latent diffusion model that others have learnt, in the folder that diffusers saves a pipeline in.

Stable Diffusion 1 and 2, and models tuned from them: an autoencoder (`vae/`), a U-Net that looks at tokens (`unet/`)
and how noise was added (`scheduler/`). What else lies there (the text model) is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from flawsmith.core.errors import DataError
from flawsmith.core.files import read_json, sha256_file
from flawsmith.nets.unet2d import import_diffusers

VAE, UNET, SCHEDULER = "vae/config.json", "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
FILES = (VAE, f"vae/{WEIGHTS}", UNET, f"unet/{WEIGHTS}", SCHEDULER)
"""All that is read of a pipeline's folder."""
MADE_FOR = {VAE: "AutoencoderKL", UNET: "UNet2DConditionModel"}
OTHER_CONDITIONS = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "num_class_embeds")
"""Settings of a U-Net that is told more than tokens, as that of SDXL is."""
NOISE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
PREDICTIONS = ("epsilon", "v_prediction", "sample")


class Pipeline(NamedTuple):
    """Its autoencoder and U-Net, frozen, in float32 and on the CPU; the noise variances of its steps (T,); what the
    U-Net gives (see `diffusion.chain.Prediction`).
    """

    vae: Any
    unet: Any
    betas_T: Tensor
    prediction: str


def pipeline_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that is read of a pipeline's folder, by its name there.

    Raises DataError, naming them, where some are missing.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}: expected a latent diffusion model as diffusers saves its pipelines, "
            f"with weights as {WEIGHTS}; `DiffusionPipeline.from_pretrained(...).save_pretrained(folder)` writes one"
        )
    return {name: sha256_file(folder / name) for name in FILES}


def open_pipeline(folder: Path) -> Pipeline:
    """Open a pipeline's folder. Nothing is fetched, and nothing of it is run.

    Raises DataError where it holds another kind of model, SettingsError where diffusers is not installed.
    """
    vae, unet, scheduler = (_config(folder, name) for name in (VAE, UNET, SCHEDULER))
    _check_kinds(folder, vae, unet, scheduler)
    diffusers = import_diffusers()
    try:
        networks = [
            getattr(diffusers, kind).from_pretrained(
                folder, subfolder=Path(name).parent.name, use_safetensors=True, local_files_only=True,
                torch_dtype=torch.float32,
            )
            for name, kind in MADE_FOR.items()
        ]  # fmt: skip
        betas = diffusers.DDPMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True).betas
    except Exception as error:  # whatever a folder of another kind provokes
        raise DataError(f"{folder} cannot be opened as a latent diffusion model of diffusers: {error}") from None
    for network in networks:
        network.eval().requires_grad_(False)
    return Pipeline(networks[0], networks[1], betas, scheduler.get("prediction_type", "epsilon"))


def _config(folder: Path, name: str) -> dict[str, Any]:
    try:
        config = read_json(folder / name)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / name} cannot be read ({error}): expected what diffusers saves there") from None
    if not isinstance(config, dict):
        raise DataError(f"{folder / name} holds no settings: expected what diffusers saves there")
    return config


def _check_kinds(folder: Path, vae: Mapping[str, Any], unet: Mapping[str, Any], scheduler: Mapping[str, Any]) -> None:
    """Raise DataError for a model of another kind than Stable Diffusion 1 and 2 are."""
    wrong = [
        f"{name} is of {config.get('_class_name')}, expected {MADE_FOR[name]}"
        for name, config in ((VAE, vae), (UNET, unet))
        if config.get("_class_name") != MADE_FOR[name]
    ]
    channels = {name: unet.get(name, 4) for name in ("in_channels", "out_channels")}
    if not isinstance(unet.get("cross_attention_dim", 0), int):
        wrong.append(f"{UNET} has several lengths of token")
    if set(channels.values()) != {vae.get("latent_channels", 4)}:
        wrong.append(f"{UNET} has {channels}, expected those of the latents (inpainting models have more)")
    wrong += [f"{UNET} has {each}, expected none" for each in OTHER_CONDITIONS if unet.get(each) is not None]
    wrong += [f"{SCHEDULER} does not say {each}" for each in NOISE if each not in scheduler]
    if scheduler.get("prediction_type", "epsilon") not in PREDICTIONS:
        wrong.append(f"{SCHEDULER} has prediction_type {scheduler['prediction_type']}, expected one of {PREDICTIONS}")
    if wrong:
        raise DataError(
            f"{folder} holds another kind of model ({'; '.join(wrong)}): give one like Stable Diffusion 1 or 2"
        )
