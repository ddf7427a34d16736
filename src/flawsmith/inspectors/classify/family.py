"""The classifying inspectors in the registry: a timm network and a small one for the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flawsmith.core.records import Catalog
from flawsmith.inspectors.classify.needs import check_timm
from flawsmith.inspectors.classify.settings import SmallClassifySettings, TimmClassifySettings
from flawsmith.inspectors.needs import check_weights
from flawsmith.inspectors.registry import INSPECTORS

if TYPE_CHECKING:
    from flawsmith.inspectors.classify.fit import ClassifyCourse
    from flawsmith.inspectors.classify.inspector import Classifier


class ClassifyFamily:
    """Trains and opens classifiers whose defaults are those of `settings`."""

    def __init__(self, settings: type[SmallClassifySettings] | type[TimmClassifySettings]) -> None:
        self.settings = settings

    def check_needs(self, settings: SmallClassifySettings | TimmClassifySettings) -> None:
        """Raise SettingsError where timm or the file of weights is missing."""
        if isinstance(settings, TimmClassifySettings):
            check_timm()
            if settings.weights is not None:
                check_weights(settings.weights)

    def course(
        self,
        real: Catalog,
        synthetic: Catalog | None,
        settings: SmallClassifySettings | TimmClassifySettings,
        *,
        seed: int,
    ) -> ClassifyCourse:
        """Prepare a training: find the classes, look at how the images are stored."""
        from flawsmith.inspectors.classify.fit import ClassifyCourse  # torch only when it is needed

        self.check_needs(settings)
        return ClassifyCourse(real, synthetic, settings, seed=seed)

    def load(self, folder: Path) -> Classifier:
        """Open a saved inspector."""
        from flawsmith.inspectors.classify.inspector import Classifier

        return Classifier.load(folder)


INSPECTORS.register("classifier")(ClassifyFamily(TimmClassifySettings))
INSPECTORS.register("classifier_small")(ClassifyFamily(SmallClassifySettings))
