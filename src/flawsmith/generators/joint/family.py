"""Fit and open the joint generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.generators.crops.bank import load_crops, palette_of
from flawsmith.generators.denoising import DrawingSettings
from flawsmith.generators.joint.learner import JointLearner
from flawsmith.generators.joint.net import JointNet
from flawsmith.generators.joint.painter import JointPainter
from flawsmith.generators.joint.settings import JointSettings
from flawsmith.generators.registry import GENERATORS
from flawsmith.training.device import pick_device
from flawsmith.training.loop import train
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "joint.safetensors"
LOSSES = "losses.json"


class JointFamily:
    """One network for all classes of a product, learnt from crops around their defects."""

    settings: type[Settings] = JointSettings

    def fit(
        self, catalog: Catalog, settings: JointSettings, folder: Path, *, seed: int, progress: Progress = silent
    ) -> None:
        """Learn and write the weights; resumes from a checkpoint in `folder`. Raises TrainingError without defects."""
        every_scale, channels = load_crops(catalog, settings, seed)
        bank = every_scale.coarse()
        torch.manual_seed(derive_seed(seed, "net"))
        net = JointNet(channels, len(bank.labels), settings.net, palette_of(bank.defects))
        log = train(
            net,
            JointLearner(net, settings),
            bank.batch,
            settings.loop,
            folder,
            seed=seed,
            progress=progress,
            task="fit",
        )
        config: dict[str, Any] = {"channels": channels, "labels": list(bank.labels)}
        kept = settings.model_dump(mode="json", exclude={"sampling"})
        save_net(folder / WEIGHTS, net, {**config, "settings": kept})
        write_json(folder / LOSSES, log.losses)

    def load(self, folder: Path, sampling: DrawingSettings | None = None, *, device: str = "auto") -> JointPainter:
        """Open what `fit` wrote."""
        tensors, config = load_weights(folder / WEIGHTS)
        settings = JointSettings.model_validate({**config["settings"], "sampling": sampling or DrawingSettings()})
        labels = tuple(config["labels"])
        net = JointNet(config["channels"], len(labels), settings.net)
        net.load_state_dict(tensors)
        return JointPainter(net.to(pick_device(device)), labels, settings, sha256_file(folder / WEIGHTS))


JOINT = JointFamily()
GENERATORS.register("joint")(JOINT)

__all__ = ["JOINT", "JointFamily"]
