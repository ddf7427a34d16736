"""Which share of the defects should be synthetic? Several are tried for each arm; validation chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import GOOD, Catalog
from flawsmith.proof.arms import Arm
from flawsmith.proof.plateau import WATCHED, Look
from flawsmith.proof.settings import ProofSettings


@dataclass(frozen=True)
class Sweep:
    """The shares tried for an arm, each with the validation metric it reached (None: undefined), and the one chosen."""

    tried: Mapping[float, float | None]

    @property
    def chosen(self) -> float:
        """The share that reached most, the smallest of several.

        >>> Sweep({0.25: 0.4, 0.5: 0.6, 0.75: 0.6}).chosen
        0.5
        """
        return min(self.tried, key=lambda share: (-(self.tried[share] or 0.0), share))


def check_choosable(val: Catalog, settings: ProofSettings) -> None:
    """Raise SettingsError where shares are to be chosen on validation images that cannot tell."""
    kinds = {entry.label == GOOD for entry in val}
    if settings.shares and kinds != {True, False}:
        missing = "defective" if False not in kinds else "good"
        raise SettingsError(
            f"proof.shares {list(settings.shares)} are chosen on validation images, of which none is {missing}: split "
            "with more groups, or leave proof.shares out and set proof.synthetic_share"
        )


def trials(arms: Mapping[str, Arm], settings: ProofSettings) -> dict[str, dict[float, Arm]]:
    """Return, for each arm that has real and synthetic defects, itself with every share that is to be tried."""
    shares = sorted(set(settings.shares))
    mixed = {name: arm for name, arm in arms.items() if shares and arm.synthetic and arm.real_defects}
    return {name: {share: replace(arm, share=share) for share in shares} for name, arm in mixed.items()}


def reached(curves: Sequence[Sequence[Look]]) -> float | None:
    """Return the mean over trainings and metrics of what was seen at the last look, None where nothing is defined."""
    values = [value for curve in curves for name in WATCHED if (value := curve[-1].get(name)) is not None]
    return float(np.mean(values)) if values else None
