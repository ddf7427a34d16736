"""The inspector that is asked for: is it there with all that it needs, and which files are its?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import sha256_path
from flawsmith.core.registry import unknown
from flawsmith.core.settings import given_paths, validated
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.registry import Demanding
from flawsmith.proof.settings import ProofSettings


def check_inspector(settings: ProofSettings, more: Mapping[str, Any] | None = None) -> None:
    """Raise SettingsError where the inspector, an option, a package or a file is missing, or an option is wrong.

    `more` are an arm's own options.
    """
    if settings.inspector not in INSPECTORS:
        raise SettingsError(unknown("inspector", settings.inspector, INSPECTORS))
    family, options = INSPECTORS[settings.inspector], {**settings.inspector_options, **(more or {})}
    for name in options:
        if name not in family.settings.model_fields:
            raise SettingsError(unknown("inspector option", name, family.settings.model_fields))
    asked = validated(family.settings, options)
    if isinstance(family, Demanding):
        family.check_needs(asked)


def given_files(settings: ProofSettings, more: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the SHA-256 of every file that the inspector's options name, pretrained weights above all, by option.

    What a file holds decides what is learnt, so one replaced under its old name is noticed. `more` as above.
    """
    options = {**settings.inspector_options, **(more or {})}
    asked = validated(INSPECTORS[settings.inspector].settings, options)
    return {name: sha256_path(path) for name, path in given_paths(asked).items()}
