"""Several processes teaching one network (`torchrun`, `accelerate launch`); alone, everything here is free."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.distributed.nn  # before any group exists: its functions' defaults would keep the group alive
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """One process among its equals: its number, how many there are, and its device."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Replace float tensors by their mean over all processes, in one message."""
        if self.count > 1:
            self._put(tensors, reduce(_flat(tensors), "mean"))

    def equalise(self, tensors: Sequence[Tensor]) -> None:
        """Replace float tensors by those of the main process, in one message."""
        if self.count > 1 and tensors:
            self._put(tensors, broadcast(_flat(tensors), from_process=0))

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            PartialState().wait_for_everyone()

    @staticmethod
    def _put(tensors: Sequence[Tensor], flat: Tensor) -> None:
        with torch.no_grad():
            for tensor, part in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])


def join_ranks(device: torch.device) -> Ranks:
    """Join the other processes of this launch, if there are any; on GPUs each process takes its own."""
    state = PartialState(cpu=device.type == "cpu")
    if state.num_processes > 1:
        _leave_in_order()
        if device.type == "cuda":
            device = torch.device("cuda", state.local_process_index)
    return Ranks(state.process_index, state.num_processes, device)


@cache
def _leave_in_order() -> None:
    """Have the process group taken down before Python ends: its threads, still running then, may abort the process."""
    atexit.register(PartialState().destroy_process_group)
