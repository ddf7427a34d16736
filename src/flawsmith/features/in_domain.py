"""The in-domain feature network: trained on crops of the training part to tell good from each defect class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.core.errors import StageError, TrainingError
from flawsmith.core.files import read_json, sha256_file, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.rng import derive_seed, stream
from flawsmith.core.symmetry import draw_view
from flawsmith.features.crops import Crop, Tones, cut, defect_crops, good_crops, moved, tones_of
from flawsmith.features.extractor import Extractor, sized
from flawsmith.features.settings import FeatureSettings
from flawsmith.nets.features.small import SmallNet
from flawsmith.training.device import pick_device
from flawsmith.training.loop import LoopSettings, train
from flawsmith.training.weights import load_weights, save_net

WEIGHTS, CARD = "features.safetensors", "features.json"
GOOD_CROPS = 200
SHIFT, SCALE, CONTRAST, BRIGHTNESS = 0.12, 1.25, 0.1, 0.1
"""Largest changes of a training crop: shares of its side, a factor, shares of contrast and of the tonal range."""


class CropFeed:
    """Draws batches {"image": (N, C, S, S) in [-1, 1], "target": (N,)}: every class as often as another."""

    def __init__(self, crops: Sequence[Crop], tones: Tones | None, settings: FeatureSettings) -> None:
        self.settings, self.tones = settings, tones
        self.classes = sorted({crop.label for crop in crops})
        self.by_class = [[crop for crop in crops if crop.label == label] for label in self.classes]
        self.channels = max(crop.image.shape[2] for crop in crops)

    def __call__(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensor]:
        """Draw a batch."""
        targets = rng.permutation(np.arange(size) % len(self.classes))
        images = torch.cat([self._view(self._drawn(int(target), rng), rng) for target in targets])
        return {"image": _relit(images, rng), "target": torch.from_numpy(targets.astype(np.int64))}

    def _drawn(self, target: int, rng: np.random.Generator) -> Crop:
        mine = self.by_class[target]
        return mine[int(rng.integers(len(mine)))]

    def _view(self, crop: Crop, rng: np.random.Generator) -> Tensor:
        spot = moved(crop.spot, crop.room.shape[:2], SHIFT, SCALE, rng)
        image = draw_view(self.settings.symmetry, rng).of(cut(crop.room, spot))
        image = image if self.tones is None else self.tones.stretch(image)
        return sized(image, self.settings.side, self.channels)


class ClassLearner:
    """Teaches a network to tell classes, by cross-entropy: one turn per batch."""

    def __init__(self, net: SmallNet) -> None:
        self.net = net

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch {"image": (N, C, S, S), "target": (N,)}."""
        logits = self.net(batch["image"]).logits
        return [(F.cross_entropy(logits.float(), batch["target"]), list(self.net.parameters()))]


def training_crops(train_part: Catalog, settings: FeatureSettings) -> list[Crop]:
    """Return every defect crop of the training part and some of its good parts.

    Raises TrainingError where the part has no good image or no defect mask.
    """
    defects = defect_crops(train_part, settings.margin, settings.least_px)
    goods = list(train_part.labelled(GOOD))
    if not defects or not goods:
        raise TrainingError(
            f"an in-domain feature network tells good parts from defects, got {len(goods)} good images and "
            f"{len(defects)} masks of defects in the training part: give both, or do without it (quality.net=none, "
            "kit.gates.class_agreed=0, kit.gates.realistic=0)"
        )
    rng = stream(settings.seed, "features", "good")
    return [crop for crop, _ in defects] + good_crops(goods, [spot for _, spot in defects], GOOD_CROPS, rng)


def fit_in_domain(
    train_part: Catalog, settings: FeatureSettings, folder: Path, *, progress: Progress = silent
) -> Extractor:
    """Train a network on the training part alone, write it into `folder`, and return it.

    The same part and settings give the same weights. Called again after an interruption it resumes.
    """
    if (folder / CARD).is_file():
        return open_in_domain(folder / WEIGHTS)
    return fit_on_crops(training_crops(train_part, settings), settings, folder, progress=progress)


def fit_on_crops(
    crops: Sequence[Crop], settings: FeatureSettings, folder: Path, *, progress: Progress = silent
) -> Extractor:
    """Train a network to tell the classes of these crops, write it into `folder`, and return it; resumes as above."""
    if (folder / CARD).is_file():
        return open_in_domain(folder / WEIGHTS)
    tones = tones_of([crop.room for crop in crops])
    feed = CropFeed(crops, tones, settings)
    shape = {"channels": feed.channels, "classes": len(feed.classes), "widths": settings.widths}
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(settings.seed, "features"))
        net = SmallNet(feed.channels, len(feed.classes), settings.widths)
    loop = LoopSettings(steps=settings.steps, batch=settings.batch, learning_rate=settings.learning_rate)
    seed = derive_seed(settings.seed, "features", "training")
    log = train(net, ClassLearner(net), feed, loop, folder, seed=seed, progress=progress, task="feature net")
    card = {"kind": "in_domain", "shape": shape, "classes": feed.classes, "side": settings.side}
    card |= {"tones": tones and [tones.low, tones.high], "loss": round(log.losses[-1][1], 6)}
    save_net(folder / WEIGHTS, net.cpu(), card)
    write_json(folder / CARD, card | {"weights_sha256": sha256_file(folder / WEIGHTS)})
    return open_in_domain(folder / WEIGHTS)


def open_in_domain(path: Path) -> Extractor:
    """Open a network that `fit_in_domain` wrote. Raises StageError where the file holds something else."""
    weights, card = load_weights(path)
    if card.get("kind") != "in_domain":
        raise StageError(f"{path} holds {card.get('kind', 'something')!r}, expected an in-domain feature network")
    beside = path.with_name(CARD)
    if beside.is_file() and read_json(beside)["weights_sha256"] != sha256_file(path):
        raise StageError(f"{path} is not the file that {beside} names: train the network again")
    shape: dict[str, Any] = card["shape"]
    net = SmallNet(shape["channels"], shape["classes"], tuple(shape["widths"]))
    net.load_state_dict(weights)
    identity = {"name": "in_domain", "weights_sha256": sha256_file(path), "side": card["side"]}
    identity |= {"classes": card["classes"], "tones": card["tones"], "lpips_weights_sha256": None}
    tones = Tones(*card["tones"]) if card["tones"] else None
    return Extractor(net.to(pick_device("auto")), identity, card["side"], shape["channels"], tones)


def _relit(images: Tensor, rng: np.random.Generator) -> Tensor:
    shape = (len(images), 1, 1, 1)
    gain = torch.from_numpy(1 + rng.uniform(-CONTRAST, CONTRAST, shape).astype(np.float32))
    shift = torch.from_numpy(2 * rng.uniform(-BRIGHTNESS, BRIGHTNESS, shape).astype(np.float32))
    centre = images.mean((1, 2, 3), keepdim=True)
    return (images - centre) * gain + centre + shift
