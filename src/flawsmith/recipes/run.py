"""Run the stages in order, as far as asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import read_json, write_text
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.registry import unknown
from flawsmith.core.settings import given_paths, resolve, to_yaml, validated
from flawsmith.recipes.choosing import LEARNED
from flawsmith.recipes.route import Route
from flawsmith.recipes.settings import RunSettings
from flawsmith.recipes.stages import STAGES

SETTINGS_FILE = "settings.yaml"


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies and what it found."""

    folder: Path

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report" / "report.html"

    @property
    def results(self) -> dict[str, Any]:
        """The proof's results: rows per arm and seed, summary per arm, verdict."""
        found: dict[str, Any] = read_json(self.folder / "prove" / "results.json")
        return found

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        verdict = self.results["verdict"]
        return f"{verdict['verdict']}: {verdict['sentence']}"

    def notes(self, stage: str) -> list[str]:
        """Return what a finished stage has to say in words: of `filter`, what verdicts by hand taught it."""
        learned = self.folder / stage / LEARNED
        return [str(read_json(learned)["sentence"])] if learned.is_file() else []


def run_settings(out: Path, file: Path | None = None, overrides: Iterable[str] = ()) -> RunSettings:
    """Return a run's settings: those an earlier call stored in `out`, unless a file is given; then overrides."""
    stored = out / SETTINGS_FILE
    return resolve(RunSettings, file or (stored if stored.is_file() else None), overrides)


def run(
    data: str | Path, out: str | Path, *, settings: RunSettings | None = None, until: str = "report",
    progress: Progress = silent, **sections: Any,
) -> Run:  # fmt: skip
    """Run every stage up to `until` on the data set in folder `data` (or "demo") and return where it lies.

    `sections` are settings by section, for example `split={"shots": 5}`. Stages that are done on the same inputs are
    skipped; a killed run resumes. Raises FlawsmithError with what was got, what was expected and what to do.
    """
    if until not in STAGES:
        raise SettingsError(unknown("stage", until, STAGES))
    folder = Path(out)
    chosen = settings or run_settings(folder)
    route = begun(data, folder, merge(chosen, sections) if sections else chosen, progress)
    for name, stage in STAGES.items():
        stage(route)
        if name == until:
            break
    return Run(folder)


def begun(data: str | Path, out: Path, settings: RunSettings, progress: Progress = silent) -> Route:
    """Make a run's folder, store its settings there and return its route. Raises SettingsError for a wrong choice."""
    check_choices(settings)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SETTINGS_FILE, to_yaml(settings))
    return Route(str(data), out, settings, progress)


def check_choices(settings: RunSettings) -> None:
    """Raise SettingsError for a generator, control, format, inspector or gate that is not there."""
    from flawsmith.data.writers import WRITERS
    from flawsmith.filtering.gates import GATES
    from flawsmith.filtering.settings import SET_GATES
    from flawsmith.generators.catalogue import GENERATORS
    from flawsmith.proof.asked import check_inspector

    check_inspector(settings.proof)
    if settings.fits > settings.proof.seeds:
        raise SettingsError(
            f"fits {settings.fits} is above proof.seeds {settings.proof.seeds}: each training of the proof learns from "
            f"one fit, so set proof.seeds={settings.fits} or more, or fewer fits"
        )
    chosen: list[tuple[str, Iterable[str], Iterable[str]]] = [
        ("generator", (settings.generator, *settings.controls), GENERATORS),
        ("format", settings.export.formats, WRITERS),
        ("gate", settings.filter.least, (*GATES, *SET_GATES)),
    ]
    for name, path in given_paths(settings).items():
        if not path.exists():
            raise SettingsError(f"{name}: {path} does not exist: give the path of a file or folder that does")
    for kind, names, known in chosen:
        for name in names:
            if name not in known:
                raise SettingsError(unknown(kind, name, known))


def merge(settings: RunSettings, sections: dict[str, Any]) -> RunSettings:
    """Return settings with some sections' values replaced. Raises SettingsError for unknown names or values."""
    return validated(RunSettings, _merged(settings.model_dump(mode="json"), sections))


def _merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `tree` with `changes` written over it, section by section."""
    result = dict(tree)
    for name, value in changes.items():
        known = result.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = _merged(known, value)
        result[name] = value
    return result
