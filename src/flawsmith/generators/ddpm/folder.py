"""A DDPM on disk in diffusers' own layout: what is written here opens there, and the other way round."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from flawsmith.core.errors import SettingsError, StageError
from flawsmith.core.files import write_json
from flawsmith.diffusion.chain import Chain
from flawsmith.generators.ddpm.settings import ChainSettings
from flawsmith.nets.unet2d import import_diffusers

UNET, SCHEDULER = "unet", "scheduler"
WEIGHTS = Path(UNET, "diffusion_pytorch_model.safetensors")
NAMES = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}
OWN = "class_embedding.weight"
"""A row per class: never taken from another network."""


def build_scheduler(settings: ChainSettings) -> Any:
    """Return diffusers' DDPMScheduler."""
    return import_diffusers().DDPMScheduler(
        num_train_timesteps=settings.steps,
        beta_schedule=NAMES[settings.schedule],
        beta_start=settings.beta_first,
        beta_end=settings.beta_last,
        prediction_type=settings.prediction,
        clip_sample=settings.clip,
    )


def chain_of(scheduler: Any) -> Chain:
    """Return the chain that a scheduler of diffusers describes."""
    config = scheduler.config
    clip = float(config.get("clip_sample_range", 1.0)) if config.get("clip_sample", True) else None
    return Chain.of_betas(scheduler.betas, config.get("prediction_type", "epsilon"), clip)


def save_pipeline(folder: Path, net: nn.Module, scheduler: Any, losses: list[tuple[int, float]]) -> None:
    """Write a DDPMPipeline, and the losses beside it; the folder is whole or not there."""
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    plain = net.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    import_diffusers().DDPMPipeline(unet=plain, scheduler=scheduler).save_pretrained(beside)
    write_json(beside / "losses.json", losses)
    beside.rename(folder)


def open_pipeline(folder: Path) -> tuple[nn.Module, Any]:
    """Return network and scheduler of a DDPMPipeline's folder, on the CPU. Nothing of it is run, nothing is fetched.

    Raises StageError where it is no such folder, or its weights are not safetensors.
    """
    diffusers = import_diffusers()
    if not (folder / WEIGHTS).is_file():
        raise StageError(
            f"{folder} is no DDPM in diffusers' layout with weights as safetensors (no {WEIGHTS}): give a folder that "
            "DDPMPipeline.save_pretrained or flawsmith wrote"
        )
    try:
        net = diffusers.UNet2DModel.from_pretrained(folder, subfolder=UNET, use_safetensors=True, local_files_only=True)
        scheduler = diffusers.DDPMScheduler.from_pretrained(folder, subfolder=SCHEDULER, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise StageError(f"{folder} cannot be opened as a DDPM in diffusers' layout: {error}") from None
    return net.eval(), scheduler


def begin_with(net: nn.Module, folder: Path) -> None:
    """Copy the weights of a DDPM in diffusers' layout into a fresh network, but for its classes.

    Raises SettingsError where that network has another shape, StageError where there is none.
    """
    if not (folder / WEIGHTS).is_file():
        raise StageError(f"ddpm.start: {folder} holds no {WEIGHTS}: give the folder of a DDPM in diffusers' layout")
    theirs, own = load_file(folder / WEIGHTS), net.state_dict()
    wanted = {name: value for name, value in own.items() if name != OWN}
    wrong = [name for name, value in wanted.items() if name not in theirs or theirs[name].shape != value.shape]
    if wrong or theirs.keys() - {OWN} - wanted.keys():
        raise SettingsError(
            f"ddpm.start: the network in {folder} has another shape than the one to fit (first difference: "
            f"{(wrong or sorted(theirs.keys() - wanted.keys()))[0]}): choose the same ddpm.net and channels, or none"
        )
    net.load_state_dict({name: theirs[name] for name in wanted}, strict=False)
