"""Where to compute, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from flawsmith.core.errors import SettingsError

Precision = Literal["auto", "fp32", "bf16"]


def pick_device(name: str) -> torch.device:
    """Return the device called `name`; 'auto' means the first CUDA device, or else the CPU.

    Raises SettingsError for a name torch does not know, or a CUDA device this machine does not have.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(f"unknown device {name!r}: expected 'auto', 'cpu', 'cuda' or 'cuda:0', ...") from None
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise SettingsError(f"device {name!r}: this machine has {count} usable CUDA devices; use 'auto' or 'cpu'")
    return device


@cache
def has_fast_bf16(device: torch.device) -> bool:
    """Say whether the hardware multiplies bfloat16 natively: a GPU since Ampere, a CPU with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and not _cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def autocast_for(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a block to compute in: bfloat16 if asked for, or if `precision` is 'auto' and the hardware has it.

    Weights, gradients and optimiser state stay float32; bfloat16 has float32's range, so no loss scaling is needed.
    """
    if precision == "bf16" or (precision == "auto" and has_fast_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux: torch has no public way to ask, so the safe answer
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
