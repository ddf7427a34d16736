"""Weights that others learnt, from a local file: safetensors, or the .pth that torch.save writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from flawsmith.core.errors import DataError

SHOWN = 5
COUNTER = "num_batches_tracked"
"""Kept by batch normalisation, used by none of our networks; older files lack it."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file, or of a .pth or .pt file of a state dict, by name, on the CPU.

    A .pth is a pickle: it is read by torch's reader of plain weights, which refuses everything that could run code.
    Raises DataError where the file is missing or holds anything else.
    """
    if not path.is_file():
        raise DataError(f"there are no weights at {path}: give the path of a .safetensors or .pth file")
    found = _safetensors(path) if path.suffix == ".safetensors" else _plain_pickle(path)
    found = found["state_dict"] if isinstance(found, Mapping) and "state_dict" in found else found
    if not isinstance(found, Mapping) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise DataError(f"{path} does not hold tensors by name: expected the state dict of a network")
    return {str(name): value for name, value in found.items()}


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path} is not a safetensors file ({error}): give another file of weights") from None


def _plain_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers inside raise whatever a broken or foreign file makes them stumble on
        first = str(error).strip().split("\n")[0]
        raise DataError(
            f"{path} is not a plain file of weights ({type(error).__name__}: {first}): expected a state dict saved "
            "with torch.save, not a whole model and not a TorchScript program; or give a .safetensors file"
        ) from None


def fill(net: nn.Module, tensors: Mapping[str, Tensor], unused: Iterable[str] = (), source: str = "the file") -> None:
    """Copy weights into a network, whole or not at all. Keys beginning with one of `unused` may be there or not.

    Raises DataError naming the keys that are missing or unexpected, or the first whose shape is another.
    """
    wanted = {name: value for name, value in net.state_dict().items() if not name.endswith(COUNTER)}
    given = {
        name: value
        for name, value in tensors.items()
        if not name.endswith(COUNTER) and not name.startswith(tuple(unused))
    }
    missing, unexpected = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unexpected:
        raise DataError(
            f"{source} does not fit {type(net).__name__}: missing {_some(missing)}; unexpected {_some(unexpected)}; "
            "give weights in the layout that docs/quality.md describes"
        )
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            raise DataError(f"{source}: {name} has shape {tuple(given[name].shape)}, expected {tuple(value.shape)}")
    with torch.no_grad():
        for name, value in wanted.items():
            value.copy_(given[name])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) + more) if names else "none"
