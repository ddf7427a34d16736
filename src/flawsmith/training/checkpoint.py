"""The state of an unfinished training run in one safetensors file, whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from flawsmith.core.errors import StageError
from flawsmith.core.files import written_whole

NAME = "checkpoint.safetensors"
_KEY = "flawsmith_checkpoint"


@dataclass
class Journal:
    """What a run remembers beside its tensors: steps done, losses so far, time spent."""

    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    unlogged: list[float] = field(default_factory=list)
    seconds: float = 0.0


def learnt_tensors(net: nn.Module) -> dict[str, Tensor]:
    """Return the net's parameters and persistent buffers by name, each once: the live tensors, not copies."""
    kept = net.state_dict().keys()
    found: dict[str, Tensor] = {name: value.data for name, value in net.named_parameters()}
    return found | {name: value for name, value in net.named_buffers() if name in kept}


def write_checkpoint(
    folder: Path, tensors: Mapping[str, Tensor], journal: Journal, identity: Mapping[str, Any]
) -> None:
    """Write everything a run needs to go on as if it had never stopped."""
    text = json.dumps({"journal": asdict(journal), "identity": dict(identity)}, sort_keys=True)
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with written_whole(folder / NAME) as beside:
        save_file(plain, beside, metadata={_KEY: text})


def read_checkpoint(folder: Path, identity: Mapping[str, Any]) -> tuple[dict[str, Tensor], Journal] | None:
    """Read what `write_checkpoint` wrote, or return None where there is nothing.

    Raises StageError for an unreadable checkpoint, or one of a run with another identity (settings, seed, network).
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            head = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, KeyError, ValueError) as error:
        raise StageError(f"{path} is not a checkpoint ({error}): delete it to train from the start") from None
    if head["identity"] != json.loads(json.dumps(identity)):
        names = sorted(name for name in identity if head["identity"].get(name) != identity[name])
        raise StageError(f"{path} is of a run with other {', '.join(names)}: delete it, or use what it was begun with")
    journal = Journal(**head["journal"])
    journal.losses = [(step, loss) for step, loss in journal.losses]
    return tensors, journal


def restore(into: Mapping[str, Tensor], tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Copy the tensors named `prefix`NAME into the live ones, keeping device and memory layout."""
    with torch.no_grad():
        for name, live in into.items():
            live.copy_(tensors[prefix + name])
