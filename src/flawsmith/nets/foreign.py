"""Weights that others have written: read as tensors and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_file

_WRAPPERS = ("state_dict", "model", "model_state")
"""Names under which training scripts put the weights beside other things."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file, or of a .pth, .pt or .bin file that holds no code, by name.

    Raises DataError where there is no such file, or something else is in it.
    """
    _check_there(path)
    try:
        return load_file(path) if path.suffix == ".safetensors" else _tensors_of(_unpacked(path), path)
    except SafetensorError as error:
        raise DataError(f"{path} is not a safetensors file ({error}): give one, or a .pth file") from None


def weights_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of weights. Raises DataError where there is none."""
    _check_there(path)
    return sha256_file(path)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"there are no weights at {path}: give the path of a .safetensors or .pth file")


def _unpacked(path: Path) -> Any:
    try:
        # Safe from torch 2.6 on, the oldest we allow: before, weights_only could be made to run code (CVE-2025-32434).
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a stranger's file provokes: nothing of it was run
        reason = str(error).split("\n")[0][:200]
        raise DataError(
            f"{path} cannot be read as plain tensors ({reason}): it is damaged or holds code, which is never run; "
            "save its weights as .safetensors"
        ) from None


def _tensors_of(data: Any, path: Path) -> dict[str, Tensor]:
    inner = next((data[name] for name in _WRAPPERS if isinstance(data, Mapping) and name in data), data)
    if not isinstance(inner, Mapping) or not inner or not all(isinstance(each, Tensor) for each in inner.values()):
        raise DataError(f"{path} holds something other than named tensors: save a model's state_dict")
    return {str(name).removeprefix("module."): each for name, each in inner.items()}
