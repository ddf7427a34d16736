"""Settings of the comparison of synthetic with real defects."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flawsmith.features.settings import FeatureSettings


class QualitySettings(FeatureSettings):
    """How synthetic defects are compared with real ones, and by which network's features."""

    most: int = Field(200, ge=4, description="crops looked at, per class and origin, at most")
    map: Literal["tsne", "umap", "none"] = Field(
        "tsne", description="how the features are drawn on a plane; umap needs the package umap-learn"
    )
