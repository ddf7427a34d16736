"""A network of the package timm as a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawsmith.inspectors.classify.needs import check_timm
from flawsmith.inspectors.timm_nets import timm_net


class Backbone(nn.Module):
    """Map images (N, 3, S, S) in [-1, 1] to logits (N, classes) by a timm model called `backbone`, its `body`.

    Raises SettingsError where timm is not installed or does not know the name.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        check_timm()
        self.body = timm_net(backbone, classes)
        for name in ("mean", "std"):
            column = torch.tensor(self.body.pretrained_cfg[name]).view(-1, 1, 1)  # type: ignore[index]
            self.register_buffer(name, column, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits in float32 (the last layers ignore autocast: bfloat16 would tie scores)."""
        features = self.body.forward_features(((x + 1) / 2 - self.mean) / self.std)  # type: ignore[operator]
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.body.forward_head(features.float())  # type: ignore[operator]
        return logits
