"""Settings of the gates: a threshold per gate, named as the gate is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry
from flawsmith.features.settings import FeatureSettings

Share = Annotated[float, Field(ge=0, le=1)]
PANEL_GATES = ("class_agreed", "realistic")
"""Gates that ask networks: trained, and asked, only where one of these thresholds is not 0."""
SET_GATES = ("not_a_duplicate",)
"""Gates that compare a defect with those accepted before it."""


class GateSettings(Settings):
    """The smallest score that passes each gate; 0 lets everything pass, "auto" measures it on the training defects."""

    mask_obeyed: Share | Literal["auto"] = 0.5
    """Overlap (IoU) of the exported mask with the pixels that changed."""
    mask_plausible: Share | Literal["auto"] = "auto"
    """How near a mask that was not asked for lies to real ones in its area and its number of pieces."""
    visible: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """Mean change inside the mask, in standard deviations of the background's texture."""
    on_object: Share | Literal["auto"] = "auto"
    """Share of the mask that lies on the object."""
    not_a_copy: Share | Literal["auto"] = "auto"
    """One minus the likeness to the most similar training defect of the class."""
    class_agreed: Share | Literal["auto"] = 0.0
    """How sure networks of the product's own are of the defect's class, good parts being one of the classes."""
    realistic: Share | Literal["auto"] = 0.0
    """How near the defect lies to real ones of its class in those networks' features; 0.5: as near as real ones do."""
    not_a_duplicate: Share | Literal["auto"] = "auto"
    """One minus the likeness to the most similar synthetic defect of the class that was accepted before."""

    @property
    def asks_a_panel(self) -> bool:
        """Whether a gate is on that needs networks."""
        return any(getattr(self, name) != 0 for name in PANEL_GATES)


class PanelSettings(Settings):
    """The small networks that `class_agreed` and `realistic` ask, each taught without a part of the groups."""

    networks: int = Field(3, ge=2, description="networks, and parts into which the groups of defects are dealt")
    side: int = Field(48, ge=16, description="side to which crops are brought")
    widths: tuple[int, ...] = Field((16, 32, 64), description="channels per stage of each network")
    steps: int = Field(200, ge=1, description="optimiser steps of each network")
    batch: int = Field(32, ge=2, description="crops per step, of every class as many")
    margin: float = Field(0.25, ge=0, description="surroundings of a defect in its crop, as a share of its longer side")
    least_px: int = Field(24, ge=8, description="smallest side of a crop in the camera's pixels")
    symmetry: Symmetry = Field("mirror", description="views of a crop the networks are trained on")
    seed: int = Field(0, description="decides the networks and the crops of good parts")

    @property
    def features(self) -> FeatureSettings:
        """The settings of one network."""
        return FeatureSettings(**self.model_dump(exclude={"networks"}))
