"""Fit and open DualAnoDiff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flawsmith.core.errors import StageError, TrainingError
from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.generators.borrowing import borrow, borrowed
from flawsmith.generators.dualanodiff.building import build_net
from flawsmith.generators.dualanodiff.ground import Ground, choose_ground
from flawsmith.generators.dualanodiff.learner import DualLearner
from flawsmith.generators.dualanodiff.painter import DualPainter
from flawsmith.generators.dualanodiff.pairs import PairBank
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings, DualSamplingSettings
from flawsmith.generators.gallery import Gallery, Hung, gather
from flawsmith.generators.registry import GENERATORS
from flawsmith.training.device import pick_device
from flawsmith.training.loop import train
from flawsmith.training.weights import load_weights, save_net

WEIGHTS, GALLERY, LOSSES = "dualanodiff.safetensors", "gallery.safetensors", "losses.json"


class DualAnoDiffFamily:
    """One network for all classes of a product, learnt from whole pictures and the masks of their defects."""

    settings: type[Settings] = DualAnoDiffSettings

    def fit(
        self, catalog: Catalog, settings: DualAnoDiffSettings, folder: Path, *, seed: int, progress: Progress = silent
    ) -> None:
        """Learn and write the weights; goes on where it stopped.

        Raises TrainingError without defect masks, or without defect-free pictures.
        """
        base = borrow(settings.weights, folder)
        goods, defects = _learnable(catalog, settings, seed)
        ground = choose_ground(_defect_pixels(defects))
        bank = PairBank([*goods, *defects], settings.good_share, settings.symmetry, settings.margin)
        torch.manual_seed(derive_seed(seed, "net"))
        net = build_net(bank.deck.channels, len(bank.labels), settings, ground)
        learner = DualLearner(net, settings.condition_dropout)
        log = train(net, learner, bank.batch, settings.loop, folder, seed=seed, progress=progress, task="fit")
        Gallery(tuple(goods), tuple(defects)).save(folder / GALLERY)
        config: dict[str, Any] = {
            "channels": net.channels,
            "labels": list(bank.labels),
            "ground": ground._asdict(),
            "gallery": sha256_file(folder / GALLERY),
            "settings": settings.model_dump(mode="json", exclude={"sampling", "weights"}),
            "base": base,
        }
        save_net(folder / WEIGHTS, net, config)
        write_json(folder / LOSSES, log.losses)

    def load(self, folder: Path, sampling: DualSamplingSettings | None = None, *, device: str = "auto") -> DualPainter:
        """Open what `fit` wrote. Raises StageError where files are missing, or are not of one fit, the model built on
        among them.
        """
        tensors, config = load_weights(folder / WEIGHTS)
        if "base" not in config:
            raise StageError(f"{folder / WEIGHTS} is of another version of this generator: fit it again")
        gallery = Gallery.load(folder / GALLERY)
        if sha256_file(folder / GALLERY) != config["gallery"]:
            raise StageError(f"{folder / GALLERY} is not of the same fit as {WEIGHTS}: fit the generator again")
        wished = sampling or DualSamplingSettings()
        base = borrowed(folder, config["base"], wished.weights)
        chosen: Mapping[str, Any] = {**config["settings"], "weights": base, "sampling": wished}
        settings, labels = DualAnoDiffSettings.model_validate(chosen), tuple(config["labels"])
        ground = Ground(tuple(config["ground"]["colour"]), config["ground"]["faint"])
        net = build_net(config["channels"], len(labels), settings, ground)
        net.load_state_dict(tensors)
        weights_sha256 = sha256_file(folder / WEIGHTS)
        return DualPainter(net.to(pick_device(device)), labels, settings, gallery, ground.faint, weights_sha256)


def _learnable(catalog: Catalog, settings: DualAnoDiffSettings, seed: int) -> tuple[list[Hung], list[Hung]]:
    """Return the defect-free pictures, and those with the mask of a defect."""
    goods, defects = gather(catalog, settings.size_hw, settings.good_images, seed)
    masked = [each for each in defects if each.mask is not None]
    if not masked:
        raise TrainingError(
            f"{catalog.name}: {len(defects)} defect images but no defect masks in the training part; one branch of "
            "this generator learns the defect alone: add masks, or choose 'ddpm', which needs none"
        )
    if not goods:
        raise TrainingError(f"{catalog.name}: no defect-free images in the training part: add good images")
    return goods, masked


def _defect_pixels(defects: Sequence[Hung]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the pixels (K, C) of all defects, in [-1, 1]."""
    return np.concatenate([2 * each.picture[each.mask] - 1 for each in defects if each.mask is not None])


DUALANODIFF = DualAnoDiffFamily()
GENERATORS.register("dualanodiff")(DUALANODIFF)
