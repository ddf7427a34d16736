"""The run store: a folder per stage, each with its manifest; finished stages are skipped, killed ones resumed.

A stage works in `.NAME.partial` beside its final folder and takes the final name only when its manifest is written,
so a folder that has the final name is whole.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flawsmith.core.errors import StageError
from flawsmith.core.files import read_json, sha256_json, sha256_tree, sweep, write_json

MANIFEST = "manifest.json"
TIMING = "timing.json"
"""What may differ between two equal runs (seconds, machine) is kept apart from the manifest."""

Work = Callable[[Path], Mapping[str, Any]]
"""Does a stage's work inside the folder given, resuming what is there, and returns its counts."""


@dataclass(frozen=True)
class Manifest:
    """What a finished stage says of itself."""

    stage: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    counts: Mapping[str, Any]
    files: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the outputs: stage, settings and inputs."""
        return fingerprint(self.stage, self.settings, self.inputs)

    @property
    def digest(self) -> str:
        """Hash of the outputs: what the next stage names as its input."""
        return sha256_json(dict(self.files))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in self.__dict__.items()}


def fingerprint(stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the hash that decides whether a stage has been done already."""
    return sha256_json({"stage": stage, "settings": dict(settings), "inputs": dict(inputs)})


def read_manifest(folder: Path) -> Manifest:
    """Read a finished stage's manifest. Raises StageError where there is none."""
    path = folder / MANIFEST
    if not path.is_file():
        raise StageError(f"{folder} is not a finished stage (no {MANIFEST}): run that stage first")
    try:
        return Manifest(**read_json(path))
    except (ValueError, TypeError) as error:
        raise StageError(f"{path} is damaged or of another version ({error}): run that stage again") from None


def verified_manifest(folder: Path) -> Manifest:
    """Read a manifest and check that every file of the stage is as it was written. Raises StageError if not."""
    manifest = read_manifest(folder)
    found = sha256_tree(folder, skip=(MANIFEST, TIMING))
    if found != dict(manifest.files):
        changed = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
        raise StageError(f"{folder}: files changed since the stage wrote them: {', '.join(changed[:5])}; run it again")
    return manifest


def run_stage(stage: str, folder: Path, settings: Mapping[str, Any], inputs: Mapping[str, str], work: Work) -> Manifest:
    """Do a stage's work once: skip it when done on the same inputs, resume it when killed, redo it when they changed.

    `inputs` maps each input's name to the digest of its content.
    """
    wanted = fingerprint(stage, settings, inputs)
    if (folder / MANIFEST).is_file():
        try:
            done = verified_manifest(folder)
        except StageError:
            done = None
        if done is not None and done.fingerprint == wanted:
            return done
    partial = folder.with_name(f".{folder.name}.partial")
    token = partial / ".fingerprint.json"
    if not (token.is_file() and read_json(token) == wanted):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_json(token, wanted)
    sweep(partial)
    began = time.time()
    counts = work(partial)
    token.unlink()
    files = sha256_tree(partial, skip=(MANIFEST, TIMING))
    manifest = Manifest(stage, settings, inputs, counts, files, tool_versions())
    write_json(partial / TIMING, {"seconds": round(time.time() - began, 3), "machine": platform.platform()})
    write_json(partial / MANIFEST, manifest.to_json())
    _take_name(partial, folder)
    return manifest


def _take_name(partial: Path, folder: Path) -> None:
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def tool_versions() -> dict[str, str]:
    """Return the versions of what can change a result."""
    found = {"python": platform.python_version()}
    for name in ("flawsmith", "numpy", "scipy", "pillow", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
