"""Networks of the package timm, with weights from a local file or from scratch. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from flawsmith.core.errors import SettingsError
from flawsmith.inspectors.classify.needs import check_timm
from flawsmith.nets.foreign import read_tensors


class Backbone(nn.Module):
    """Map images (N, 3, S, S) in [-1, 1] to logits (N, classes) by a timm model called `backbone`.

    Raises SettingsError where timm is not installed or does not know the name.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        check_timm()
        import timm

        if not timm.is_model(backbone):
            near = ", ".join(timm.list_models(f"*{backbone[:6]}*")[:8]) or "see timm.list_models()"
            raise SettingsError(f"timm has no model {backbone!r}: name one of its own, for example {near}")
        self.body = timm.create_model(backbone, pretrained=False, num_classes=classes, in_chans=3)
        for name in ("mean", "std"):
            column = torch.tensor(self.body.pretrained_cfg[name]).view(-1, 1, 1)
            self.register_buffer(name, column, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits in float32 (the last layers ignore autocast: bfloat16 would tie scores)."""
        features = self.body.forward_features(((x + 1) / 2 - self.mean) / self.std)
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.body.forward_head(features.float())
        return logits

    def begin_with(self, weights: Path) -> None:
        """Take everything but the last layer from a file of weights of the same model.

        Raises SettingsError where the file is not of this model.
        """
        heads = self.body.pretrained_cfg["classifier"]
        last = tuple(f"{name}." for name in ([heads] if isinstance(heads, str) else heads))
        given = _without(read_tensors(weights), last)
        wanted = _without(self.body.state_dict(), last)
        wrong = sorted(
            name
            for name in {*given, *wanted}
            if name not in given or name not in wanted or given[name].shape != wanted[name].shape
        )
        if wrong:
            shown = ", ".join(wrong[:5])
            raise SettingsError(
                f"{weights} holds {len(given)} tensors, of which {len(wrong)} are missing, unknown or of another shape "
                f"({shown}): expected the weights of the timm model that is named as backbone"
            )
        self.body.load_state_dict(given, strict=False)


def _without(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors of other layers; counters of batches are no weights."""
    counter = "num_batches_tracked"
    return {
        name: each for name, each in tensors.items() if not name.startswith(prefixes) and not name.endswith(counter)
    }
