"""What inspectors that are networks can be told about their training."""

from __future__ import annotations

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry


class PictureSettings(Settings):
    """Steps, batches, and how training pictures are drawn and varied."""

    batch: int = Field(16, ge=2, description="pictures per step, half of them free of defects")
    steps: int = Field(4000, ge=1, description="not used in a proof, which sets the steps itself (proof.steps)")
    cycle: int = Field(
        1000, ge=1, description="steps after which a training is complete; more of them begin with its weights"
    )
    synthetic_share: float = Field(0.25, ge=0, le=1, description="share of the defects in a batch that is synthetic")
    real_last: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="share of a cycle, at its end, in which all defects are real; before it synthetic ones are drawn "
        "so much oftener that their share of the whole is kept",
    )
    brightness: float = Field(0.1, ge=0, description="largest shift of a picture, as a share of the full range")
    contrast: float = Field(0.1, ge=0, description="largest change of a picture's contrast, as a share")
    augment: float = Field(
        0, ge=0, le=1, description="strength of standard augmentation: camera position and light, beyond the above"
    )
    symmetry: Symmetry = Field(
        "mirror",
        description="views that are trained on: as it is, mirrored both ways (grain keeps its direction), or "
        "all eight of a square",
    )
    cache_mb: int = Field(1500, ge=0, description="images kept in memory; the rest is read again when needed")

    def synthetic_share_at(self, done: float) -> float:
        """Return the share of synthetic defects in a batch when the share `done` of the cycle is over.

        >>> settings = LearningSettings(synthetic_share=0.3, real_last=0.4)
        >>> [settings.synthetic_share_at(done) for done in (0, 0.5, 0.6, 0.9)]
        [0.5, 0.5, 0.0, 0.0]
        """
        return min(1.0, self.synthetic_share / (1 - self.real_last)) if done < 1 - self.real_last else 0.0


class LearningSettings(PictureSettings):
    """The same, for a network that our own loop teaches."""

    cycle: int = Field(1000, ge=1, description="steps in which the learning rate rises and falls once")
    learning_rate: float = Field(1e-3, gt=0, description="the highest of each cycle")


class FrameSettings(PictureSettings):
    """The same, for a network that sees whole images."""

    size: int = Field(
        128, ge=16, description="side of the square that a whole image is brought to; its edge fills what is left over"
    )
