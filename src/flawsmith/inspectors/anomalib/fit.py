"""Training anomalib's detectors, in one go or in rounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from anomalib.models import AnomalibModule

from flawsmith.core.errors import TrainingError
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.loading import load_sample
from flawsmith.inspectors.anomalib.engine import Drawn, GoodImages, fit, seeded
from flawsmith.inspectors.anomalib.inspector import Card, Detector, seen
from flawsmith.inspectors.anomalib.models import begun_with, build, check_size, shape_of, weights_of
from flawsmith.inspectors.anomalib.settings import DetectorSettings, PadimSettings, PatchcoreSettings
from flawsmith.inspectors.anomalib.settings import SupersimplenetSettings as Supervised
from flawsmith.inspectors.cycles import SO_FAR, Cycles
from flawsmith.inspectors.frame_bank import FrameBank
from flawsmith.training.weights import fill, load_weights, save_net


class SupervisedCourse:
    """A training of SuperSimpleNet on balanced batches of good and defective images.

    A round that was killed begins again where the last whole cycle ended, which comes to the same: batches and noise
    depend on the seed and the cycle alone.
    """

    def __init__(self, real: Catalog, synthetic: Catalog | None, settings: Supervised, *, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.bank = FrameBank(_marked(real), _marked(synthetic) if synthetic else None, settings, least_channels=3)
        self.card = Card(shape_of("supersimplenet", settings), begun_with(settings))

    def advance(self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector") -> Detector:
        """Train until `steps` steps have been taken in all, and return the inspector."""
        progress(task, 0, steps, self.card.begun)
        model = _fresh(self.card, self.settings, self.seed)
        check_size(model, self.card.shape)

        def teach(steps: int, place: Path, *, seed: int, progress: Progress) -> None:
            data = Drawn(self.bank, self.settings.batch, steps, seed)
            with seeded(seed):
                fit(model, data, place, progress, **data.limits)

        Cycles(model.model, self.settings.cycle, teach, self.seed).advance(steps, folder, progress, task)
        return Detector(model, self.card)


class OneClassCourse:
    """Looks at the good images once: the steps asked for change nothing, nor do defects."""

    def __init__(self, real: Catalog, settings: PatchcoreSettings | PadimSettings, name: str, *, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.good = [entry for entry in real if entry.label == GOOD]
        if not self.good:
            raise TrainingError("no good image to learn from: a one-class detector needs some real ones")
        self.card = Card(shape_of(name, settings), begun_with(settings))

    def advance(self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector") -> Detector:
        """Return the inspector, learnt now or before: always as it was written, so that both judge alike."""
        if not (folder / SO_FAR).is_file():
            progress(task, 0, steps, f"{self.card.begun}; from good images alone, every arm alike")
            self._learn(folder)
        model = _fresh(self.card, self.settings, self.seed)
        fill(model.model, load_weights(folder / SO_FAR)[0])
        return Detector(model, self.card)

    def _learn(self, folder: Path) -> None:
        model, place = _fresh(self.card, self.settings, self.seed), folder / "engine"
        with seeded(self.seed):
            fit(model, GoodImages(self.good, self.settings.batch, self._read), place, silent)
        save_net(folder / SO_FAR, model.model, {})
        shutil.rmtree(place, ignore_errors=True)

    def _read(self, entry: Entry) -> torch.Tensor:
        return seen(load_sample(entry).image, self.settings.size)


def _fresh(card: Card, settings: DetectorSettings, seed: int) -> AnomalibModule:
    with seeded(seed):
        return build(card.shape, weights_of(settings))


def _marked(catalog: Catalog) -> Catalog:
    """Leave out defective images without a mask: nobody can say where their defects are."""
    return catalog.with_entries([entry for entry in catalog if entry.label == GOOD or entry.masks])
