"""A trained network on disk: its tensors and its configuration in one safetensors file that runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from flawsmith.core.errors import StageError
from flawsmith.core.files import written_whole
from flawsmith.training.checkpoint import learnt_tensors

_KEY = "flawsmith_config"


def save_net(path: Path, net: nn.Module, config: Mapping[str, Any]) -> None:
    """Write a network's parameters and persistent buffers with its JSON `config`; equal ones give equal bytes.

    A tensor that a network holds under several names is written once, under the first.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in learnt_tensors(net).items()}
    text = json.dumps(dict(config), sort_keys=True)  # one key alone: safetensors does not keep the order of several
    with written_whole(path) as beside:
        save_file(tensors, beside, metadata={_KEY: text})


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors (on the CPU) and the configuration that `save_net` wrote.

    Raises StageError when the file is missing, is not safetensors, or was not written by `save_net`.
    """
    if not path.is_file():
        raise StageError(f"there are no weights at {path}: run the stage that learns them first")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError as error:
        raise StageError(f"{path} is not a safetensors file ({error}): expected weights written by flawsmith") from None
    if text is None:
        raise StageError(f"{path} holds tensors but no flawsmith configuration: give weights written by flawsmith")
    return tensors, dict(json.loads(text))


def fill(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put what `save_net` wrote back into a network like the one it was written from.

    Raises StageError where they are the tensors of another network.
    """
    wanted = learnt_tensors(net).keys()
    if odd := sorted(wanted ^ tensors.keys()):
        raise StageError(f"{len(odd)} tensors are missing or too many ({', '.join(odd[:5])}): made by another network?")
    net.load_state_dict(dict(tensors), strict=False)  # the second names of shared tensors are not among them
