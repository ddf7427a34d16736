"""A trained detector of anomalib at work: a whole image in, a score and a map out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models import AnomalibModule
from numpy.typing import NDArray

from flawsmith.core.records import Findings, Image
from flawsmith.inspectors.anomalib.models import build
from flawsmith.inspectors.frames import squared, unsquared
from flawsmith.training.device import pick_device
from flawsmith.training.feed import to_tensor
from flawsmith.training.weights import fill, load_weights, save_net

WEIGHTS = "inspector.safetensors"


@dataclass(frozen=True)
class Card:
    """What a detector is: `shape` builds its model again, `begun` says what its backbone is."""

    shape: Mapping[str, Any]
    begun: str


class Detector:
    """Judges images with a trained model of anomalib."""

    def __init__(self, model: AnomalibModule, card: Card) -> None:
        self.model = model.to(pick_device("auto")).eval()
        self.card = card

    def inspect(self, images: Sequence[Image]) -> Findings:
        """Return the score of each HWC image and its map (H, W), all in [0, 1].

        SuperSimpleNet gives probabilities. A distance d, as of PatchCore and PaDiM, becomes d / (1 + d), which keeps
        the order of all: 0.5 means nothing by itself. Images are looked at one by one, so which are asked for
        together changes nothing.
        """
        found = [self._look(image) for image in images]
        return Findings(np.array([score for score, _ in found], np.float32), [each for _, each in found])

    def save(self, folder: Path) -> None:
        """Write the detector into `folder`: one safetensors file, backbone included, with its card inside."""
        save_net(folder / WEIGHTS, self.model.model, {"kind": "anomalib", **asdict(self.card)})

    @classmethod
    def load(cls, folder: Path) -> Detector:
        """Open what `save` wrote. Raises StageError where there is nothing."""
        weights, told = load_weights(folder / WEIGHTS)
        card = Card(told["shape"], told["begun"])
        with torch.random.fork_rng():
            model = build(card.shape)
        fill(model.model, weights)
        return cls(model, card)

    @torch.inference_mode()
    def _look(self, image: Image) -> tuple[float, NDArray[np.float32]]:
        x = seen(image, self.card.shape["size"])
        said = self.model((x.to(self.model.device) + 1) / 2)
        places = unsquared(said.anomaly_map.float().cpu().reshape(1, 1, *x.shape[-2:]), image.shape[:2])[0, 0]
        return float(self._unit(said.pred_score.float().cpu().reshape(()))), self._unit(places).numpy()

    def _unit(self, values: torch.Tensor) -> torch.Tensor:
        return values.clamp(0, 1) if self.card.shape["model"] == "supersimplenet" else values / (1 + values)


def seen(image: Image, size: int) -> torch.Tensor:
    """Return an HWC image as the models see it, but for their own scaling of tones: (1, 3, size, size) in [-1, 1]."""
    return squared(to_tensor([image], 3), size)
