"""How the local generator learns: denoise image and mask inside a region around each defect.

A defect covers a small part of its crop. So that a step teaches more than that part, half of the crops are noised
further out as well; the close region keeps a weight of its own, so that small defects are not drowned.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.inpainting import mean_inside, region_of
from flawsmith.generators.crops.mask_channel import as_channel
from flawsmith.generators.local.net import SIGMA_DATA, Condition, LocalNet
from flawsmith.generators.local.settings import LocalSettings

LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = -1.2, 1.3
"""Distribution of the training noise, ln sigma ~ N(mean, spread ** 2) (Karras et al. 2022, table 1)."""


WIDER = 4
"""The wider region reaches this many times as far around the mask as the one that is repainted."""


class LocalLearner:
    """One turn a step: the preconditioned squared error (Karras et al. 2022, eq. 8), averaged inside each region."""

    def __init__(self, net: nn.Module, plain: LocalNet, settings: LocalSettings) -> None:
        self.net, self.plain, self.settings = net, plain, settings

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch (see `crops.CropBank`)."""
        image = batch["image"]
        count, device = len(image), image.device

        def draw(*shape: int, normal: bool = True) -> Tensor:
            make = torch.randn if normal else torch.rand
            return make(shape, generator=rng).to(device)

        close = region_of(batch["asked"], self.settings.margin)
        wide = region_of(close, self.settings.margin * (WIDER - 1))
        region = torch.where(draw(count, 1, 1, 1, normal=False) < 0.5, close, wide)
        image = F.conv2d(image, self.plain.palette[:, :, None, None])
        clean = torch.cat([image, as_channel(batch["mask"])], 1)
        sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_SPREAD * draw(count)).exp()
        noisy = clean + sigma[:, None, None, None] * draw(*clean.shape)
        dropped = draw(count, normal=False) < self.settings.label_dropout
        label = torch.where(dropped, self.plain.unknown, batch["label"])
        is_good = batch["label"] == self.plain.good
        guided = (draw(count, normal=False) >= self.settings.guide_dropout) & ~is_good & ~dropped
        condition = Condition(
            image * (1 - region), region, batch["asked"], label, batch["guide"], guided.float()[:, None], batch["scale"]
        )
        error = ((self.net(noisy, sigma, condition) - clean) ** 2).mean(1, keepdim=True)
        weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
        per_crop = (mean_inside(error, close) + mean_inside(error, region)) / 2
        return [((weight * per_crop).mean(), list(self.net.parameters()))]
