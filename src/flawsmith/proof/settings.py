"""Settings of the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from flawsmith.core.settings import Settings


class ProofSettings(Settings):
    """How the arms are trained and compared."""

    inspector: str = Field("unet_small", description="registered name of the inspector that is trained in every arm")
    inspector_options: dict[str, Any] = Field(default={}, description="settings of that inspector, where not default")
    seeds: int = Field(3, ge=1, description="trainings per arm")
    steps: int = Field(0, ge=0, description="equal for all arms; 0: until the base arm stops improving on validation")
    min_steps: int = Field(2000, ge=1)
    max_steps: int = Field(6000, ge=1)
    check_every: int = Field(1000, ge=1, description="steps between two looks at validation, and of one training cycle")
    patience: int = Field(2, ge=1, description="looks without a gain after which an arm counts as converged")
    min_gain: float = Field(0.005, ge=0, description="smallest gain of validation AP that counts")
    plan_seeds: int = Field(2, ge=1, description="seeds of the base arm whose mean decides the steps")
    good_checked: int = Field(100, ge=1, description="good validation images looked at, at most")
    synthetic_share: float = Field(0.25, ge=0, le=1, description="share of synthetic among the defect crops")
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (),
        description="shares of which validation chooses one for each arm with real and synthetic defects; none: "
        "synthetic_share for all",
    )
    base: str = Field("real", description="the arm without synthetic images")
    candidate: str | None = Field(None, description="the arm the verdict is about; by default the last one")
    fewer_groups: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (),
        description="groups per class of more arms on real images alone, to say what a gain is worth in real defects",
    )
    refuse_lookalikes: bool = Field(
        True, description="stop where an image learnt from shows the same part as a sealed one, by its fine structure"
    )
    false_alarm_rate: float = Field(
        0.01, ge=0, lt=1, description="share of good parts that may raise a false alarm where recall is read"
    )
    bootstrap: int = Field(
        1000,
        ge=10,
        description="resamples of test groups and seeds for the intervals: fewer than some hundred make them narrow",
    )
    workers: int = Field(0, ge=0, description="trainings at once; 0: one per processor core. Changes no result")

    def with_inspector_options(self, options: Mapping[str, Any]) -> ProofSettings:
        """Return these settings with options for the inspector beside those it has, and before them."""
        return self.model_copy(update={"inspector_options": {**self.inspector_options, **options}})
