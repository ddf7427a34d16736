"""What an inspector needs beyond the plain installation."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flawsmith.core.errors import SettingsError


def check_package(package: str, inspector: str, instead: str) -> None:
    """Raise SettingsError where `package`, which is also the name of our extra, is not installed.

    `instead` names an inspector that does without it.
    """
    if find_spec(package) is None:
        raise SettingsError(
            f"the inspector {inspector!r} takes its network from {package}, which is not installed: "
            f"pip install 'flawsmith[{package}]', or choose {instead!r}"
        )


def check_weights(weights: Path) -> None:
    """Raise SettingsError where there is no such file."""
    if not weights.is_file():
        raise SettingsError(f"there are no weights at {weights}: give the path of a .safetensors or .pth file")
