"""How captions are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from flawsmith.core.settings import Settings


class CaptionSettings(Settings):
    """What the pattern is measured on, and how sure a place in it must be."""

    images: Annotated[int, Field(ge=1)] = 16
    """Good images that the pattern is measured on, spread over the set."""
    least_confidence: Annotated[float, Field(ge=0, le=1)] = 0.7
    """An image whose period is less like the template gets no caption; it is listed."""
    like: Path | None = None
    """Folder of captions made earlier whose pattern is taken over, so that the coordinates mean the same."""
