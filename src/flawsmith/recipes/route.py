"""One run on its way: where its stages lie, and what the finished ones hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsmith.core.files import read_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.store import Manifest, read_manifest, run_stage
from flawsmith.data.loading import load_catalog
from flawsmith.data.splits import SPARE_FILE
from flawsmith.recipes.settings import RunSettings

DEMO = "demo"
"""The word that stands for the built-in demo set where a data folder is expected."""


COMMON = ("check", "split", "kit")
"""Stages that all fits of a run's generator share."""


@dataclass(frozen=True)
class Route:
    """One run: which data, into which folder, with which settings, told to whom.

    `fit` counts the fits of the generator: 0 is the run's own, those after it are made for the proof alone and have
    their stages in folders of their own, `fit_1` and so on.
    """

    data: str
    out: Path
    settings: RunSettings
    progress: Progress = silent
    fit: int = 0

    def named(self, stage: str) -> str:
        """The name of a stage's folder."""
        return f"{stage}_{self.fit}" if self.fit and stage not in COMMON else stage

    def folder(self, stage: str) -> Path:
        """The folder of a stage."""
        return self.out / self.named(stage)

    def digest(self, stage: str) -> str:
        """Hash of a finished stage's outputs."""
        return read_manifest(self.folder(stage)).digest

    def do(
        self,
        stage: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        work: Callable[[Path], Mapping[str, Any]],
    ) -> Manifest:
        """Do a stage once (see `core.store.run_stage`), and say so."""
        self.progress(self.named(stage), 0, 1, "")
        manifest = run_stage(stage, self.folder(stage), settings, inputs, work)
        self.progress(self.named(stage), 1, 1, "done")
        return manifest


def training_part(route: Route) -> Catalog:
    """Return the training part of the data."""
    return load_catalog(route.folder("split") / "train.json")


def spare_part(route: Route) -> Catalog:
    """Return the real defects set aside by the split, which only the proof's ceiling learns from."""
    return load_catalog(route.folder("split") / SPARE_FILE)


def chosen_synthetic(route: Route) -> Catalog:
    """Return the synthetic images that passed the filter."""
    from flawsmith.synthesis.produce import open_synthetic

    kept = set(read_json(route.folder("filter") / "accepted.json"))
    catalog = open_synthetic(route.folder("generate"))
    return catalog.with_entries(entry for entry in catalog if entry.id in kept)
