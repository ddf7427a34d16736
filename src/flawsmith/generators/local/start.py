"""Beginning with what another fit has learnt: textures, edges and noise are much the same on the next product."""

from __future__ import annotations

from pathlib import Path

import torch

from flawsmith.core.errors import SettingsError
from flawsmith.generators.local.net import LocalNet
from flawsmith.training.weights import load_weights

OWN = ("palette", "label.weight")
"""What is measured on the product at hand, and what has a row per class."""


def begin_with(net: LocalNet, labels: tuple[str, ...], path: Path) -> None:
    """Copy the weights of another local generator into a fresh network, classes of the same name among them.

    Raises SettingsError when that generator has another shape, StageError when the file is none.
    """
    tensors, config = load_weights(path)
    own = net.state_dict()
    taken = {name: tensors[name] for name in own if name not in OWN and name in tensors}
    wrong = [name for name in own if name not in OWN and (name not in taken or taken[name].shape != own[name].shape)]
    if wrong:
        theirs = config.get("settings", {}).get("net", "of another kind")
        raise SettingsError(
            f"local.start: the network in {path} ({config.get('channels', '?')} channels, local.net {theirs}) has "
            f"another shape than the one to fit ({net.channels} channels; first difference: {wrong[0]}): choose the "
            "same local.net, a grey product's generator for a grey product, a colour one's for one in colour, or none"
        )
    net.load_state_dict(taken, strict=False)
    rows = {name: number for number, name in enumerate(config["labels"])}
    with torch.no_grad():
        net.label.weight[-2:] = tensors["label.weight"][-2:]  # good, and any class
        for number, label in enumerate(labels):
            if label in rows:
                net.label.weight[number] = tensors["label.weight"][rows[label]]
