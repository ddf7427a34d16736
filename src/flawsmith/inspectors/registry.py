"""The registry of inspectors, and what each of them can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from flawsmith.core.protocols import Inspector, Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.registry import Registry
from flawsmith.core.settings import Settings


class SavedInspector(Inspector, Protocol):
    """An inspector that can be written to disk."""

    def save(self, folder: Path) -> None:
        """Write the inspector into `folder` (safetensors and JSON)."""
        ...


class Course(Protocol):
    """A training in rounds."""

    def advance(
        self, steps: int, folder: Path, *, progress: Progress = silent, task: str = "inspector"
    ) -> SavedInspector:
        """Train until `steps` steps have been taken in all, resuming from `folder`, and return the inspector."""
        ...


class InspectorFamily(Protocol):
    """A registered kind of inspector: how it is trained, and how a trained one is opened."""

    @property
    def settings(self) -> type[Settings]:
        """The settings model; it has at least `steps` and `synthetic_share`."""
        ...

    def course(self, real: Catalog, synthetic: Catalog | None, settings: Any, *, seed: int) -> Course:
        """Prepare training on real and, where given, synthetic images."""
        ...

    def load(self, folder: Path) -> Inspector:
        """Open a saved inspector."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """A family that needs a package beyond the plain installation, or a file."""

    def check_needs(self, settings: Any) -> None:
        """Raise SettingsError, saying what to install or to give, where something is missing for these settings."""
        ...


INSPECTORS: Registry[InspectorFamily] = Registry("inspector")
