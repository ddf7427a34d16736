"""What results.json holds, as models: the published schema is made from them.

`SCHEMA_VERSION` rises when a reader of the version before would fail or misread.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flawsmith.proof.verdict import Word
from flawsmith.proof.worth import Status

SCHEMA_VERSION = 2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(BaseModel):
    """One training tested on the sealed images; its further keys are metrics, null where undefined."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, float | None] = Field(init=False)

    arm: str
    seed: int
    steps: int = Field(description="optimiser steps")
    converged: bool | None = Field(description="whether validation had stopped improving, null where that is unknown")


class Estimate(_Part):
    """A metric of an arm: mean and standard deviation over seeds, 95 % interval over test groups and seeds."""

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


class ArmSummary(_Part):
    """An arm's metrics by name."""

    arm: str
    seeds: int
    metrics: dict[str, Estimate]


class Difference(_Part):
    """`arm` minus `other` in one metric: difference of the means and its paired 95 % interval."""

    metric: str
    arm: str
    other: str
    mean: float | None
    low: float | None
    high: float | None


class Look(_Part):
    """Metrics on the validation images after so many steps."""

    step: int
    image_ap: float | None
    pixel_ap: float | None = None
    macro_f1: float | None = None


class Planned(_Part):
    """Why every arm took the steps it took: they were set, the base arm had converged, or they are the most allowed."""

    reason: Literal["set", "converged", "limit"]
    curve: list[Look] = Field(description="mean over seeds of the base arm")
    steps: int | None = Field(None, description="absent where the steps were set")


class Swept(_Part):
    """Which share of synthetic defects validation chose for an arm."""

    chosen: float
    tried: dict[str, float | None] = Field(description="mean validation metric after all steps, by share")


class SealedCounts(_Part):
    """The sealed test part."""

    images: int
    good: int
    groups: int


class Verdict(_Part):
    """What the proof found about the candidate: overall, per judged metric, and in words."""

    verdict: Word
    metrics: dict[str, Word]
    sentence: str
    candidate: str


class WorthInGroups(_Part):
    """How many more real groups per class would do as much as the candidate's images, with a 95 % interval."""

    status: Status = Field(description="only `said` comes with a number")
    groups: float = Field(description="real groups per class that there are")
    more: float | None
    low: float | None = Field(description="below 0: fewer would do")
    high: float | None = Field(description="null beside a number: farther than the curve is read, twice the groups")
    sentence: str


class ClassNumbers(_Part):
    """Precision, recall and F1 of one class, means over seeds; null where undefined."""

    images: int | None = Field(None, description="test images of the class; absent from the mean of all classes")
    precision: float | None
    recall: float | None
    f1: float | None


class ClassTable(_Part):
    """What an arm named the test images."""

    classes: list[str]
    confusion: list[list[int]] = Field(description="counts over all seeds; a row per true class, a column per name")
    per_class: dict[str, ClassNumbers]
    macro: ClassNumbers = Field(description="mean over the classes")


class Results(_Part):
    """What a proof found: prove/results.json. Metrics are shares of one."""

    schema_version: Literal[2]
    rows: list[Row]
    arms: list[ArmSummary]
    against_best: dict[str, Difference] = Field(description="candidate against the best other arm, by judged metric")
    against_base: list[Difference] = Field(description="every other arm against the base arm, in every metric")
    verdict: Verdict
    groups_per_class: dict[str, float] = Field(
        description="groups of real defects per class, by arm: the base arm and those on real images alone that learn "
        "from fewer, which are the points of its learning curve"
    )
    ceilings: dict[str, float] = Field(
        description="groups of real defects per class, by arm, of arms that learn from more than the training part"
    )
    worth: dict[str, WorthInGroups] = Field(description="what the candidate is worth in real defects, by metric")
    recall_at_fpr: dict[str, dict[str, float]] = Field(
        description="share of defective images found at `false_alarm_rate`, by arm and class"
    )
    pixel_ap_of_class: dict[str, dict[str, float]] = Field(
        description="average precision of a class's defect pixels against all sound ones, by arm and class; empty "
        "where no pixels are marked"
    )
    false_alarm_rate: float = Field(
        description="share of good test images that raise a false alarm where recall is read"
    )
    classes: dict[str, ClassTable] = Field(description="by arm; empty where the inspector tells no classes apart")
    curves: dict[str, list[Look]] = Field(description="by arm-seed")
    steps: int
    sets: dict[str, int] = Field(
        description="by arm, from how many sets of synthetic images its trainings learnt in turn, each of a generator "
        "fitted anew: where it is more than one, the intervals know the chance in the generator, too"
    )
    shares: dict[str, Swept] = Field(description="by arm; empty where `proof.shares` was not asked for")
    plan: Planned
    test: SealedCounts


def results_schema() -> dict[str, Any]:
    """Return the JSON schema of results.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Results.model_json_schema()}
