"""All settings of a run: one section per owner, each defined beside what it configures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.data.coordinates.settings import CaptionSettings
from flawsmith.data.demo.settings import DemoSettings
from flawsmith.data.splits import SplitSettings
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.classical.settings import (
    CutMixSettings,
    CutPasteSettings,
    PasteSettings,
    PerlinSettings,
    PoissonSettings,
)
from flawsmith.generators.ddpm.settings import DdpmSettings
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.joint.settings import JointSettings
from flawsmith.generators.latent.settings import LatentSettings
from flawsmith.generators.local.settings import LocalSettings
from flawsmith.proof.quality.settings import QualitySettings
from flawsmith.proof.settings import ProofSettings
from flawsmith.synthesis.kit import KitSettings
from flawsmith.synthesis.produce import ProduceSettings


class DataSettings(Settings):
    """What to read and how."""

    layout: str | None = None
    """Name of the reader; found by looking where not given."""
    groups: Path | None = None
    """CSV with the columns file and group: images of one part, shot or burst share a group."""
    classes: tuple[str, ...] | None = None
    """Keep these defect classes only (and the good images)."""
    good: tuple[str, ...] | None = None
    """Names of the folders that hold defect-free parts, where they are unusual."""


class FilterSettings(Settings):
    """Which generated samples are used: stricter than the gates, if wished."""

    least: dict[str, float] = {}
    """Smallest score per gate, for example {"visible": 0.4}; gates not named keep the threshold of generation."""
    by_hand: Path | None = None
    """CSV with the columns image and verdict (accept or reject): these are obeyed, and limits for all other images are
    learned from them."""


class ExportSettings(Settings):
    """Which formats are written."""

    formats: tuple[str, ...] = ("mvtec", "coco", "yolo", "folder")


class RunSettings(Settings):
    """The whole run. Each generator's section bears its registered name."""

    seed: int = 0
    generator: str = "local"
    controls: tuple[str, ...] = ("copy_paste",)
    """Classical generators that the proof compares with."""
    arms: tuple[Literal["augmented", "unfiltered", "synthetic_only", "all_real"], ...] = ()
    """Further arms of the proof: real images under standard augmentation; beside the real ones synthetic images that no
    gate has judged; synthetic defects alone; real images alone with all defects that split.surplus=spare set aside."""
    fits: int = Field(1, ge=1)
    """How often the generator is fitted and drawn from, each time with seeds of its own. The further fits serve the
    proof alone: its trainings learn from them in turn, and controls are drawn anew as often, so that the intervals know
    the chance in the generator. Each costs a fit and a generation."""
    data: DataSettings = DataSettings()
    demo: DemoSettings = DemoSettings()
    captions: CaptionSettings = CaptionSettings()
    split: SplitSettings = SplitSettings()
    local: LocalSettings = LocalSettings()
    anomalydiffusion: AnomalyDiffusionSettings = AnomalyDiffusionSettings()
    dualanodiff: DualAnoDiffSettings = DualAnoDiffSettings()
    joint: JointSettings = JointSettings()
    ddpm: DdpmSettings = DdpmSettings()
    latent: LatentSettings = LatentSettings()
    copy_paste: PasteSettings = PasteSettings()
    copy_paste_poisson: PoissonSettings = PoissonSettings()
    cutmix: CutMixSettings = CutMixSettings()
    cutpaste: CutPasteSettings = CutPasteSettings()
    perlin: PerlinSettings = PerlinSettings()
    kit: KitSettings = KitSettings()
    generate: ProduceSettings = ProduceSettings()
    filter: FilterSettings = FilterSettings()
    export: ExportSettings = ExportSettings()
    quality: QualitySettings = QualitySettings()
    proof: ProofSettings = ProofSettings()

    @model_validator(mode="after")
    def _ceiling_needs_spare(self) -> Self:
        if "all_real" in self.arms and self.split.surplus != "spare":
            raise ValueError(
                "arms: all_real learns from real defects beyond split.shots, but those are in the test part: set "
                "split.surplus=spare in a new folder, or leave the arm out"
            )
        return self
