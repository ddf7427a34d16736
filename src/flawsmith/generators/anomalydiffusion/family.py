"""Fit and open AnomalyDiffusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from flawsmith.core.errors import StageError
from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.generators.anomalydiffusion.learner import FirstStage, SecondStage
from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.painter import TokenPainter
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings, TokenSamplingSettings
from flawsmith.generators.crops.bank import CropBank, load_crops, palette_of
from flawsmith.generators.registry import GENERATORS
from flawsmith.training.device import pick_device
from flawsmith.training.loop import train
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "anomalydiffusion.safetensors"
FIRST = "first_stage.safetensors"
"""What the first stage learnt, kept until the second is done: an interrupted fit goes on from there."""
LOSSES = "losses.json"

Losses = list[tuple[int, float]]


class AnomalyDiffusionFamily:
    """One network for all classes of a product, learnt from crops in two stages."""

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
        """Learn and write the weights; resumes either stage in `folder`. Raises TrainingError without defects."""
        every_scale, channels = load_crops(catalog, settings, seed)
        bank = every_scale.coarse()
        torch.manual_seed(derive_seed(seed, "net"))
        net = TokenNet(channels, len(bank.labels), settings, palette_of(bank.defects))
        course = _Course(net, bank, settings, folder, seed, progress)
        losses = course.first()
        losses += course.second(settings.loop.steps)
        config: dict[str, Any] = {"channels": channels, "labels": list(bank.labels)}
        kept = settings.model_dump(mode="json", exclude={"sampling"})
        save_net(folder / WEIGHTS, net, {**config, "settings": kept})
        write_json(folder / LOSSES, losses)
        (folder / FIRST).unlink(missing_ok=True)

    def load(
        self, folder: Path, sampling: TokenSamplingSettings | None = None, *, device: str = "auto"
    ) -> TokenPainter:
        """Open what `fit` wrote."""
        tensors, config = load_weights(folder / WEIGHTS)
        if "settings" not in config:
            raise StageError(f"{folder / WEIGHTS} is of another version of this generator: fit it again")
        chosen: Mapping[str, Any] = {**config["settings"], "sampling": sampling or TokenSamplingSettings()}
        settings = AnomalyDiffusionSettings.model_validate(chosen)
        net = TokenNet(config["channels"], len(config["labels"]), settings)
        net.load_state_dict(tensors)
        labels = tuple(config["labels"])
        return TokenPainter(net.to(pick_device(device)), labels, settings, sha256_file(folder / WEIGHTS))


@dataclass(frozen=True)
class _Course:
    """Both stages of one fit."""

    net: TokenNet
    bank: CropBank
    settings: AnomalyDiffusionSettings
    folder: Path
    seed: int
    progress: Progress

    def first(self) -> Losses:
        """Do the first stage, or take up what it learnt, and return its losses."""
        home = self.folder / FIRST
        if home.is_file():
            tensors, config = load_weights(home)
            self.net.load_state_dict(tensors)
            return [(step, loss) for step, loss in config["losses"]]
        learner = FirstStage(self.net, self.settings.condition_dropout)
        log = train(
            self.net,
            learner,
            self.bank.batch,
            self.settings.loop,
            self.folder,
            seed=self.seed,
            progress=self.progress,
            task="fit",
        )
        save_net(home, self.net, {"losses": log.losses})
        return log.losses

    def second(self, done: int) -> Losses:
        """Do the second stage and return its losses, counted on from the `done` steps of the first."""
        learner = SecondStage(self.net, self.settings.masked_loss, self.settings.margin)
        only_defects = CropBank(self.bank.defects, [], self.settings)
        log = train(
            self.net,
            learner,
            only_defects.batch,
            self.settings.token_loop,
            self.folder,
            seed=derive_seed(self.seed, "tokens"),
            progress=self.progress,
            task="fit tokens",
        )
        return [(done + step, loss) for step, loss in log.losses]


ANOMALYDIFFUSION = AnomalyDiffusionFamily()
GENERATORS.register("anomalydiffusion")(ANOMALYDIFFUSION)

__all__ = ["ANOMALYDIFFUSION", "AnomalyDiffusionFamily"]
