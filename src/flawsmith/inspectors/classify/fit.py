"""Training a classifying inspector, in one go or in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.inspectors.classify.backbone import Backbone
from flawsmith.inspectors.classify.inspector import Card, Classifier, build
from flawsmith.inspectors.classify.settings import SmallClassifySettings, TimmClassifySettings
from flawsmith.inspectors.cycles import looped, seeded_net
from flawsmith.inspectors.frame_bank import FrameBank
from flawsmith.inspectors.timm_nets import begin_with, said_of


class ClassifyLearner:
    """Teaches a classifying network by cross-entropy: one turn per batch."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch {"image": (N, C, S, S), "target": (N,)}."""
        logits = self.net(batch["image"].contiguous(memory_format=torch.channels_last))
        return [(F.cross_entropy(logits, batch["target"]), list(self.net.parameters()))]


class ClassifyCourse:
    """A training that can go on in rounds: images read once, the rest resumed from what the folder holds."""

    def __init__(
        self,
        real: Catalog,
        synthetic: Catalog | None,
        settings: SmallClassifySettings | TimmClassifySettings,
        *,
        seed: int,
    ) -> None:
        self.settings, self.seed = settings, seed
        foreign = isinstance(settings, TimmClassifySettings)
        self.bank = FrameBank(real, synthetic, settings, least_channels=3 if foreign else 1)
        self.card = Card(
            shape=shape_of(settings, self.bank.channels, len(self.bank.classes)),
            classes=self.bank.classes,
            channels=self.bank.channels,
            size=settings.size,
            begun=begun_with(settings),
        )

    def advance(self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector") -> Classifier:
        """Train until `steps` steps have been taken in all, and return the inspector with its averaged weights."""
        net = seeded_net(self._fresh, self.seed)
        progress(task, 0, steps, self.card.begun)
        cycles = looped(net, ClassifyLearner(net), self.bank, self.settings, self.seed)
        cycles.advance(steps, folder, progress, task)
        return Classifier(net, self.card)

    def _fresh(self) -> nn.Module:
        net = build(self.card.shape)
        if isinstance(self.settings, TimmClassifySettings) and self.settings.weights and isinstance(net, Backbone):
            begin_with(net.body, self.settings.weights)
        return net


def shape_of(settings: SmallClassifySettings | TimmClassifySettings, channels: int, classes: int) -> dict[str, Any]:
    """Return what the network is built from."""
    if isinstance(settings, TimmClassifySettings):
        return {"backbone": settings.backbone, "classes": classes}
    return {"channels": channels, "classes": classes, "width": settings.width, "stages": settings.stages}


def begun_with(settings: SmallClassifySettings | TimmClassifySettings) -> str:
    """Return in words what the weights are before the first step."""
    if not isinstance(settings, TimmClassifySettings):
        return "from scratch"
    if settings.weights is None:
        return f"{settings.backbone} from scratch"
    return said_of(settings.backbone, settings.weights)
