"""Is the inspector that is asked for there, with all that it needs?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flawsmith.core.errors import SettingsError
from flawsmith.core.registry import unknown
from flawsmith.core.settings import validated
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
