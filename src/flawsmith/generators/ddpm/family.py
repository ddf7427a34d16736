"""Fit and open the whole-image DDPM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flawsmith.core.errors import StageError
from flawsmith.core.files import read_json, sha256_file, sha256_tree, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.core.settings import Settings
from flawsmith.generators.ddpm.folder import begin_with, build_scheduler, chain_of, open_pipeline, save_pipeline
from flawsmith.generators.ddpm.learner import DdpmLearner, PictureBank
from flawsmith.generators.ddpm.painter import DdpmPainter
from flawsmith.generators.ddpm.settings import DdpmSamplingSettings, DdpmSettings
from flawsmith.generators.gallery import Gallery, Hung, gather
from flawsmith.generators.registry import GENERATORS
from flawsmith.nets.unet2d import build_unet2d, import_diffusers, stepwise
from flawsmith.training.device import pick_device
from flawsmith.training.loop import train
from flawsmith.training.settings import LoopSettings

MODEL, GALLERY, NETWORK, LEARNING = "ddpm.json", "gallery.safetensors", "network_{}", ".learning_{}"
NOT_LEARNT = ("start", "sampling")


class DdpmFamily:
    """Whole images of a product's defects, by class."""

    settings: type[Settings] = DdpmSettings

    def fit(
        self, catalog: Catalog, settings: DdpmSettings, folder: Path, *, seed: int, progress: Progress = silent
    ) -> None:
        """Learn and write a folder of diffusers per network; goes on where it stopped.

        Raises TrainingError without defect images, SettingsError without diffusers.
        """
        import_diffusers()
        goods, defects = gather(catalog, settings.size_hw, settings.good_images, seed)
        gallery = Gallery.measure(goods, defects)
        labels = tuple(sorted({each.label for each in defects}))
        shares = [labels] if settings.classes == "together" else [(label,) for label in labels]
        for number, share in enumerate(shares):
            if not (folder / NETWORK.format(number)).is_dir():
                _teach(defects, share, settings, folder, number, seed, progress)
        gallery.save(folder / GALLERY)
        model = {
            "networks": [list(share) for share in shares],
            "settings": settings.model_dump(mode="json", exclude=set(NOT_LEARNT)),
            "files": sha256_tree(folder, skip=(MODEL,)),
        }
        write_json(folder / MODEL, model)

    def load(self, folder: Path, sampling: DdpmSamplingSettings | None = None, *, device: str = "auto") -> DdpmPainter:
        """Open what `fit` wrote. Raises StageError where files are missing or are others."""
        if not (folder / MODEL).is_file():
            raise StageError(f"{folder} holds no fitted 'ddpm' generator (no {MODEL}): fit it first")
        model = read_json(folder / MODEL)
        changed = [name for name, digest in model["files"].items() if not _is(folder / name, digest)]
        if changed:
            raise StageError(f"{folder / changed[0]} is not what {MODEL} says was fitted: fit the generator again")
        where = pick_device(device)
        opened = [open_pipeline(folder / NETWORK.format(number)) for number in range(len(model["networks"]))]
        networks = {
            label: stepwise(net.to(where), number if len(labels) > 1 else None)
            for labels, (net, _) in zip(model["networks"], opened, strict=True)
            for number, label in enumerate(labels)
        }
        gallery, chain = Gallery.load(folder / GALLERY), chain_of(opened[0][1])
        height, width, channels = gallery.defects[0].image.shape
        return DdpmPainter(
            networks, (channels, height, width), chain, gallery, sampling or DdpmSamplingSettings(),
            sha256_file(folder / MODEL), where,
        )  # fmt: skip


def _teach(
    pictures: Sequence[Hung],
    labels: tuple[str, ...],
    settings: DdpmSettings,
    folder: Path,
    number: int,
    seed: int,
    progress: Progress,
) -> None:
    """Train the network of some classes, from its checkpoint if there is one, and write its folder."""
    import torch

    mine = [each for each in pictures if each.label in labels]
    scheduler = build_scheduler(settings.chain)
    torch.manual_seed(derive_seed(seed, "net", number))
    told = len(labels) if len(labels) > 1 else None
    net: Any = build_unet2d(settings.net, settings.size_hw, mine[0].image.shape[2], told)
    if settings.start is not None:
        begin_with(net, settings.start)
    bank = PictureBank(mine, labels, settings.symmetry)
    learner = DdpmLearner(net, chain_of(scheduler), told is not None)
    loop, learning = _loop(settings, len(mine)), folder / LEARNING.format(number)
    log = train(
        net, learner, bank.batch, loop, learning, seed=derive_seed(seed, "ddpm", number), progress=progress, task="fit"
    )
    save_pipeline(folder / NETWORK.format(number), net, scheduler, log.losses)
    if learning.is_dir():
        learning.rmdir()


def _loop(settings: DdpmSettings, pictures: int) -> LoopSettings:
    """Return the loop's settings, their steps from the epochs where these are given."""
    if settings.epochs is None:
        return settings.loop
    return settings.loop.model_copy(update={"steps": settings.epochs * -(-pictures // settings.loop.batch)})


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest


DDPM = DdpmFamily()
GENERATORS.register("ddpm")(DDPM)
