"""The segmenting inspectors in the registry: the full-size network and a small one for the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.inspectors.registry import INSPECTORS
from flawsmith.inspectors.segment.settings import SegmentSettings, SmallSegmentSettings

if TYPE_CHECKING:
    from flawsmith.inspectors.segment.fit import SegmentCourse
    from flawsmith.inspectors.segment.inspector import Segmenter


class SegmentFamily:
    """Trains and opens segmenting U-Nets whose defaults are those of `settings`."""

    def __init__(self, settings: type[SegmentSettings]) -> None:
        self.settings = settings

    def course(
        self, real: Catalog, synthetic: Catalog | None, settings: SegmentSettings, *, seed: int
    ) -> SegmentCourse:
        """Prepare a training: read the images, choose the crop's side."""
        from flawsmith.inspectors.segment.fit import SegmentCourse  # torch only when it is needed

        return SegmentCourse(real, synthetic, settings, seed=seed)

    def load(self, folder: Path) -> Segmenter:
        """Open a saved inspector."""
        from flawsmith.inspectors.segment.inspector import Segmenter

        return Segmenter.load(folder)

    def fit(
        self,
        real: Catalog,
        synthetic: Catalog | None,
        settings: SegmentSettings,
        folder: Path,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> None:
        """Train an inspector and save it into `folder`; called again after an interruption, it resumes."""
        course = self.course(real, synthetic, settings, seed=seed)
        course.advance(settings.steps, folder / "training", progress=progress).save(folder)


INSPECTORS.register("unet")(SegmentFamily(SegmentSettings))
INSPECTORS.register("unet_small")(SegmentFamily(SmallSegmentSettings))
