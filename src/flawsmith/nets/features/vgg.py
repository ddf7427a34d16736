"""VGG-16 (Simonyan & Zisserman 2015, configuration D), the convolutional part, in the layout of torchvision's weights.

Keys: `features.N.weight` and `features.N.bias`, N = 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28; `classifier.*` is
not used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.nets.features.seen import Seen

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
UNUSED = ("classifier.",)
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours in [0, 1]: what the weights were learnt with."""


class Vgg16(nn.Module):
    """Map RGB pictures (N, 3, H, W) in [-1, 1] to the mean of the last map (N, 512) and the maps that LPIPS takes: the
    last of each stage, after its ReLU (Zhang et al. 2018, section 3). It gives no logits.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage in STAGES:
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("shift", 2 * torch.tensor(MEAN).view(1, 3, 1, 1) - 1, persistent=False)
        self.register_buffer("scale", 2 * torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x_NCHW: Tensor) -> Seen:
        """Run the network."""
        x, maps = (x_NCHW - self.shift) / self.scale, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        return Seen(F.adaptive_avg_pool2d(maps[-1], 1).flatten(1), None, tuple(maps))
