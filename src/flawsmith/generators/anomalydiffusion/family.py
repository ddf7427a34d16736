"""Fit and open AnomalyDiffusion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from flawsmith.core.errors import StageError
from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.generators.anomalydiffusion.building import build_net
from flawsmith.generators.anomalydiffusion.course import FIRST, course_of, go_through
from flawsmith.generators.anomalydiffusion.painter import TokenPainter
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings, TokenSamplingSettings
from flawsmith.generators.borrowing import borrow, borrowed
from flawsmith.generators.crops.bank import load_crops, palette_of
from flawsmith.generators.registry import GENERATORS
from flawsmith.training.device import pick_device
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "anomalydiffusion.safetensors"
LOSSES = "losses.json"


class AnomalyDiffusionFamily:
    """One network for all classes of a product, learnt from crops."""

    settings: type[Settings] = AnomalyDiffusionSettings

    def fit(
        self,
        catalog: Catalog,
        settings: AnomalyDiffusionSettings,
        folder: Path,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> None:
        """Learn and write the weights; resumes either stage in `folder`. Raises TrainingError without defects.

        Of a model built on, nothing is written but where it lies and which it is.
        """
        base = borrow(settings.weights, folder)
        every_scale, channels = load_crops(catalog, settings, seed)
        bank = every_scale.coarse()
        torch.manual_seed(derive_seed(seed, "net"))
        net = build_net(channels, len(bank.labels), settings, palette_of(bank.defects))
        losses = go_through(course_of(net, bank, settings, seed), net, folder, progress)
        kept = settings.model_dump(mode="json", exclude={"sampling", "weights"})
        save_net(
            folder / WEIGHTS, net, {"channels": channels, "labels": list(bank.labels), "settings": kept, "base": base}
        )
        write_json(folder / LOSSES, losses)
        (folder / FIRST).unlink(missing_ok=True)

    def load(
        self, folder: Path, sampling: TokenSamplingSettings | None = None, *, device: str = "auto"
    ) -> TokenPainter:
        """Open what `fit` wrote. Raises StageError where the model built on is not there, or is another."""
        tensors, config = load_weights(folder / WEIGHTS)
        if "base" not in config:
            raise StageError(f"{folder / WEIGHTS} is of another version of this generator: fit it again")
        wished, labels = sampling or TokenSamplingSettings(), tuple(config["labels"])
        base = borrowed(folder, config["base"], wished.weights)
        chosen: Mapping[str, Any] = {**config["settings"], "weights": base, "sampling": wished}
        settings = AnomalyDiffusionSettings.model_validate(chosen)
        net = build_net(config["channels"], len(labels), settings)
        net.load_state_dict(tensors)
        weights_sha256 = sha256_file(folder / WEIGHTS)
        return TokenPainter(net.to(pick_device(device)), config["channels"], labels, settings, weights_sha256)


ANOMALYDIFFUSION = AnomalyDiffusionFamily()
GENERATORS.register("anomalydiffusion")(ANOMALYDIFFUSION)

__all__ = ["ANOMALYDIFFUSION", "AnomalyDiffusionFamily"]
