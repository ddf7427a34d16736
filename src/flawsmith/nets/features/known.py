"""Opening the networks that others trained, and the weights of LPIPS."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from flawsmith.core.errors import DataError
from flawsmith.nets.features import inception, vgg
from flawsmith.nets.features.filling import fill
from flawsmith.nets.features.inception import Inception3
from flawsmith.nets.features.vgg import Vgg16
from flawsmith.nets.foreign import read_tensors

LPIPS_KEY = "lin{}.model.1.weight"


def open_inception(path: Path) -> Inception3:
    """Return Inception v3 with the weights of a file. Raises DataError where they do not fit."""
    tensors = read_tensors(path)
    head = tensors.get("fc.weight")
    if head is None or head.ndim != 2:
        raise DataError(f"{path} has no fc.weight of two dimensions: it does not hold Inception v3 weights")
    net = Inception3(len(head))
    fill(net, tensors, inception.UNUSED, str(path))
    return net.eval()


def open_vgg(path: Path) -> Vgg16:
    """Return VGG-16 with the weights of a file. Raises DataError where they do not fit."""
    net = Vgg16()
    fill(net, read_tensors(path), vgg.UNUSED, str(path))
    return net.eval()


def open_lpips_weights(path: Path) -> list[Tensor]:
    """Return LPIPS's weight (C,) per channel of each map, from a file with the keys `lin0.model.1.weight`, ...

    Raises DataError where there are none.
    """
    tensors = read_tensors(path)
    found: list[Tensor] = []
    while LPIPS_KEY.format(len(found)) in tensors:
        found.append(tensors[LPIPS_KEY.format(len(found))].float().flatten())
    if not found:
        raise DataError(f"{path} has no {LPIPS_KEY.format(0)}: it does not hold the linear weights of LPIPS")
    return found
