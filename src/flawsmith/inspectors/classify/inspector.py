"""The trained classifier at work: a whole image in, the probabilities of its classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from flawsmith.core.records import Findings, Image
from flawsmith.inspectors.classify.backbone import Backbone
from flawsmith.inspectors.classify.net import SmallNet
from flawsmith.inspectors.frames import squared
from flawsmith.training.device import autocast_for, pick_device
from flawsmith.training.feed import to_tensor
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "inspector.safetensors"


@dataclass(frozen=True)
class Card:
    """What a classifier is: `shape` builds its network again, `begun` says what its weights were before training."""

    shape: Mapping[str, Any]
    classes: tuple[str, ...]
    channels: int
    size: int
    begun: str


def build(shape: Mapping[str, Any]) -> nn.Module:
    """Return the untrained network of a shape: timm's where it names a backbone, or else the small one."""
    return Backbone(**shape) if "backbone" in shape else SmallNet(**shape)


class Classifier:
    """Judges images with a trained network."""

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net
        self.card = card

    def inspect(self, images: Sequence[Image]) -> Findings:
        """Return the probability of each class for each HWC image, and 1 - p(good) as its score; no pixel is marked.

        Images are looked at one by one, so which are asked for together changes nothing.
        """
        self.net.eval()
        found = np.array([self._look(image) for image in images]).reshape(len(images), len(self.card.classes))
        scores = found[:, 1:].sum(1).clip(0, 1)
        return Findings(scores.astype(np.float32), None, found.astype(np.float32), self.card.classes)

    def save(self, folder: Path) -> None:
        """Write the classifier into `folder`: one safetensors file with its card inside."""
        save_net(folder / WEIGHTS, self.net, {"kind": "classify", **asdict(self.card)})

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Open what `save` wrote. Raises StageError where there is nothing."""
        weights, told = load_weights(folder / WEIGHTS)
        card = Card(told["shape"], tuple(told["classes"]), told["channels"], told["size"], told["begun"])
        net = build(card.shape)
        net.load_state_dict(weights)
        net.to(device=pick_device("auto"), memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(net, card)

    @torch.inference_mode()
    def _look(self, image: Image) -> NDArray[np.float64]:
        device = next(self.net.parameters()).device
        x = squared(to_tensor([image], self.card.channels), self.card.size).to(device)
        with autocast_for(device, "auto"):
            logits = self.net(x.contiguous(memory_format=torch.channels_last))
        found: NDArray[np.float64] = torch.softmax(logits[0].double(), 0).cpu().numpy()
        return found
