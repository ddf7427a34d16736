"""Fit and open the local generator."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from flawsmith.core.errors import StageError
from flawsmith.core.files import sha256_file
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.data.loading import load_sample
from flawsmith.generators.crops.bank import load_crops, palette_of
from flawsmith.generators.local.examples import cut_examples, load_examples, save_examples
from flawsmith.generators.local.learner import LocalLearner
from flawsmith.generators.local.net import LocalNet
from flawsmith.generators.local.painter import LocalPainter
from flawsmith.generators.local.settings import LocalSettings, SamplingSettings
from flawsmith.generators.local.start import begin_with
from flawsmith.generators.registry import GENERATORS
from flawsmith.masks.guide import GUIDE
from flawsmith.training.device import pick_device
from flawsmith.training.loop import train
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "local.safetensors"
EXAMPLES = "examples.safetensors"
LOSSES = "losses.json"
CHECKPOINTS = "checkpoints"
"""The folder of the states of training that are kept; each is a model of its own, named by its steps."""
NOT_LEARNT = ("start", "sampling", "checkpoints")
"""Settings that the weights do not keep: where the beginning lay, how to draw from them, what else was kept."""


class LocalFamily:
    """One network for all classes of a product, learnt from crops around their defects."""

    settings: type[Settings] = LocalSettings

    def fit(
        self, catalog: Catalog, settings: LocalSettings, folder: Path, *, seed: int, progress: Progress = silent
    ) -> None:
        """Learn and write the weights; resumes from a checkpoint in `folder`. Raises TrainingError without defects."""
        import torch

        from flawsmith.core.files import write_json

        bank, channels = load_crops(catalog, settings, seed)
        torch.manual_seed(derive_seed(seed, "net"))
        net = LocalNet(channels, len(bank.labels), len(GUIDE), settings.net, palette_of(bank.defects))
        if settings.start is not None:
            begin_with(net, bank.labels, settings.start)
        defective = (load_sample(entry) for entry in catalog if entry.label != GOOD)
        save_examples(folder / EXAMPLES, [each for sample in defective for each in cut_examples(sample, settings)])
        config: dict[str, Any] = {"channels": channels, "labels": list(bank.labels), "guide": list(GUIDE)}
        config["examples_sha256"] = sha256_file(folder / EXAMPLES)
        config["settings"] = settings.model_dump(mode="json", exclude=set(NOT_LEARNT))
        learner, keep = LocalLearner(net, net, settings), _keeper(settings, config, folder)
        log = train(
            net, learner, bank.batch, settings.loop, folder, seed=seed, progress=progress, task="fit", after=keep
        )
        save_net(folder / WEIGHTS, net, config)
        write_json(folder / LOSSES, log.losses)

    def load(self, folder: Path, sampling: SamplingSettings | None = None, *, device: str = "auto") -> LocalPainter:
        """Open what `fit` wrote."""
        tensors, config = load_weights(folder / WEIGHTS)
        if "palette" not in tensors or "examples_sha256" not in config:
            raise StageError(f"{folder / WEIGHTS} is of another version of this generator: fit it again")
        examples = load_examples(folder / EXAMPLES)
        settings = LocalSettings.model_validate({**config["settings"], "sampling": sampling or SamplingSettings()})
        net = LocalNet(config["channels"], len(config["labels"]), len(config["guide"]), settings.net)
        net.load_state_dict(tensors)
        if config["examples_sha256"] != sha256_file(folder / EXAMPLES):
            raise StageError(f"{folder / EXAMPLES} does not belong to {WEIGHTS} beside it: fit the generator again")
        return LocalPainter(
            net.to(pick_device(device)), tuple(config["labels"]), settings, sha256_file(folder / WEIGHTS), examples
        )


def _keeper(
    settings: LocalSettings, config: Mapping[str, Any], folder: Path
) -> Callable[[int, nn.Module], None] | None:
    """Return what keeps states of training, as `train` calls it after each step; None where none are wished."""
    if not settings.checkpoints:
        return None
    total = settings.loop.steps
    steps = {round(total * number / (settings.checkpoints + 1)) for number in range(1, settings.checkpoints + 1)}

    def keep(step: int, net: nn.Module) -> None:
        if step in steps - {0, total}:
            home = folder / CHECKPOINTS / f"{step:07d}"
            home.mkdir(parents=True, exist_ok=True)
            save_net(home / WEIGHTS, net, config)
            shutil.copyfile(folder / EXAMPLES, home / EXAMPLES)

    return keep


LOCAL = LocalFamily()
GENERATORS.register("local")(LOCAL)

__all__ = ["LOCAL", "LocalFamily"]
