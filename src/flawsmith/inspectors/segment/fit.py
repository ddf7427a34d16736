"""Training the segmenting inspector, in one go or in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.inspectors.cycles import looped, seeded_net
from flawsmith.inspectors.segment.crops import CropBank
from flawsmith.inspectors.segment.inspector import Segmenter
from flawsmith.inspectors.segment.net import SegmentNet, focal_loss
from flawsmith.inspectors.segment.settings import SegmentSettings


class SegmentLearner:
    """Teaches a `SegmentNet` by cross-entropy, or by focal loss where `gamma` is above 0: one turn per batch."""

    def __init__(self, net: SegmentNet, gamma: float = 0.0) -> None:
        self.net, self.gamma = net, gamma

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[torch.nn.Parameter]]]:
        """Return the loss of a batch {"image": (N, C, S, S), "target": (N, S, S)}."""
        logits = self.net(batch["image"].contiguous(memory_format=torch.channels_last))
        return [(focal_loss(logits, batch["target"], self.gamma), list(self.net.parameters()))]


class SegmentCourse:
    """A training that can go on in rounds: images read once, the rest resumed from what the folder holds."""

    def __init__(self, real: Catalog, synthetic: Catalog | None, settings: SegmentSettings, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        multiple = settings.patch * 2 ** (settings.stages - 1)
        self.bank = CropBank(real, synthetic, settings, multiple)
        self.shape = {
            "channels": self.bank.channels,
            "width": settings.width,
            "stages": settings.stages,
            "patch": settings.patch,
        }

    def advance(self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector") -> Segmenter:
        """Train until `steps` steps have been taken in all, and return the inspector with its averaged weights."""
        net = seeded_net(lambda: SegmentNet(**self.shape), self.seed)
        learner = SegmentLearner(net, self.settings.focal_gamma)
        looped(net, learner, self.bank, self.settings, self.seed).advance(steps, folder, progress, task)
        return Segmenter(net, self.shape, self.settings.pool)
