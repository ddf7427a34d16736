"""Everything but the network that making images needs, measured on the training part: masks, guides, gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flawsmith.core.files import read_json, write_json
from flawsmith.core.records import Sample
from flawsmith.core.settings import Settings
from flawsmith.filtering.context import fit_gates
from flawsmith.filtering.gates import GateContext
from flawsmith.filtering.settings import GateSettings, PanelSettings
from flawsmith.masks.bank import MaskBank
from flawsmith.masks.guide import GuideTable
from flawsmith.masks.placement import find_foreground
from flawsmith.masks.settings import MaskSettings
from flawsmith.synthesis.composite import CompositeSettings
from flawsmith.synthesis.own import read_own_masks

if TYPE_CHECKING:
    from flawsmith.filtering.panel import Panel


class KitSettings(Settings):
    """Where defects go, what shape they have, how they are blended and judged."""

    masks: MaskSettings = MaskSettings()
    composite: CompositeSettings = CompositeSettings()
    gates: GateSettings = GateSettings()
    panel: PanelSettings = PanelSettings()
    find_object: bool = True
    """Look for the object in each picture; off allows defects anywhere."""
    region: Path | None = None
    """Picture of the images' size, white where defects may lie; with it the object is not looked for."""
    own_masks: Path | None = None
    """Folder of masks of your own, for the mask source "user"."""


@dataclass(frozen=True)
class Kit:
    """Mask bank, guide table and gate context of one training part."""

    bank: MaskBank
    guides: GuideTable
    gates: GateContext

    @classmethod
    def measure(
        cls, samples: Sequence[Sample], settings: KitSettings, groups: Mapping[str, str], panel: Panel | None = None
    ) -> Kit:
        """Measure everything on training samples; `groups` maps their ids to groups (same part, shot or burst).

        `panel` holds the networks that some gates ask, where those are on.
        """
        foreground = find_foreground if settings.find_object else None
        bank = MaskBank.measure(samples, foreground, groups, alone=settings.masks.alone)
        if settings.own_masks is not None:
            bank = bank.with_user_masks(read_own_masks(settings.own_masks))
        return cls(bank, GuideTable.measure(samples), fit_gates(samples, settings.gates, groups, panel))

    def save(self, folder: Path) -> None:
        """Write the kit as safetensors and JSON."""
        self.bank.save(folder / "masks")
        self.gates.save(folder / "gates")
        write_json(folder / "guides.json", self.guides.to_json())

    @classmethod
    def load(cls, folder: Path) -> Kit:
        """Read what `save` wrote."""
        guides = GuideTable.from_json(read_json(folder / "guides.json"))
        return cls(MaskBank.load(folder / "masks"), guides, GateContext.load(folder / "gates"))
