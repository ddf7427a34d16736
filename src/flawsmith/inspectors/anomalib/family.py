"""anomalib's detectors in the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import Catalog
from flawsmith.inspectors.anomalib.settings import (
    DetectorSettings,
    PadimSettings,
    PatchcoreSettings,
    SupersimplenetSettings,
)
from flawsmith.inspectors.needs import check_package, check_weights
from flawsmith.inspectors.registry import INSPECTORS, Course

if TYPE_CHECKING:
    from flawsmith.inspectors.anomalib.inspector import Detector


class AnomalibFamily:
    """Trains and opens the detector `name` of anomalib."""

    def __init__(self, name: str, settings: type[DetectorSettings]) -> None:
        self.name, self.settings = name, settings

    def check_needs(self, settings: DetectorSettings) -> None:
        """Raise SettingsError where anomalib is missing, or the weights, or the word that there shall be none."""
        check_package("anomalib", self.name, "unet_small")
        if settings.weights is None:
            raise SettingsError(
                f"the inspector {self.name!r} looks at the features of {settings.backbone!r}, which it does not train: "
                "give a file of that timm model's weights as the option 'weights' (nothing is downloaded), or say "
                "weights=random for random features, which find little"
            )
        if isinstance(settings.weights, Path):
            check_weights(settings.weights)

    def course(self, real: Catalog, synthetic: Catalog | None, settings: DetectorSettings, *, seed: int) -> Course:
        """Prepare a training; a one-class detector leaves every defect aside, real or synthetic."""
        self.check_needs(settings)
        from flawsmith.inspectors.anomalib.fit import OneClassCourse, SupervisedCourse  # torch only when it is needed

        if isinstance(settings, SupersimplenetSettings):
            return SupervisedCourse(real, synthetic, settings, seed=seed)
        return OneClassCourse(real, settings, self.name, seed=seed)

    def load(self, folder: Path) -> Detector:
        """Open a saved inspector. Raises SettingsError where anomalib is missing."""
        check_package("anomalib", self.name, "unet_small")
        from flawsmith.inspectors.anomalib.inspector import Detector

        return Detector.load(folder)


INSPECTORS.register("supersimplenet")(AnomalibFamily("supersimplenet", SupersimplenetSettings))
INSPECTORS.register("patchcore")(AnomalibFamily("patchcore", PatchcoreSettings))
INSPECTORS.register("padim")(AnomalibFamily("padim", PadimSettings))
