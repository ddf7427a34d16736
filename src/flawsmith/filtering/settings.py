"""Settings of the gates: a threshold per gate, named as the gate is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flawsmith.core.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class GateSettings(Settings):
    """The smallest score that passes each gate; 0 lets everything pass, "auto" measures it on the training defects."""

    mask_obeyed: Share | Literal["auto"] = 0.5
    """Overlap (IoU) of the exported mask with the pixels that changed."""
    visible: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """Mean change inside the mask, in standard deviations of the background's texture."""
    on_object: Share | Literal["auto"] = "auto"
    """Share of the mask that lies on the object."""
    not_a_copy: Share | Literal["auto"] = "auto"
    """One minus the likeness to the most similar training defect of the class."""
