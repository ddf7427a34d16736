"""Filling a network with weights that others learnt, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from flawsmith.core.errors import DataError

SHOWN = 5
COUNTER = "num_batches_tracked"
"""Kept by batch normalisation, used by none of our networks; older files lack it."""


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
