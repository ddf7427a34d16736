"""How the network learns, in two stages: first what pictures look like, then what the tokens shall mean.

The paper's first stage is a network trained on the world's pictures; here it is one trained on the product's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.inpainting import mean_inside, region_of
from flawsmith.diffusion.preconditioning import loss_weight, training_sigmas
from flawsmith.generators.anomalydiffusion.net import SIGMA_DATA, Condition, TokenNet


class FirstStage:
    """The whole network learns from the whole crop: the plain squared error."""

    def __init__(self, net: TokenNet, dropout: float) -> None:
        self.net, self.dropout = net, dropout

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch (see `crops.bank.CropBank`)."""
        dropped = torch.rand(len(batch["label"]), generator=rng, device=rng.device) < self.dropout
        label = torch.where(dropped, self.net.nothing, batch["label"])
        error, weight = weighed_error(self.net, batch, condition_of(self.net, batch, label, (~dropped).float()), rng)
        return [((weight * error.mean((1, 2, 3))).mean(), self.net.first_parameters)]


class SecondStage:
    """Tokens, mask encoder and low-rank additions learn from what lies under the mask.

    Masked textual inversion (Hu et al. 2024), on the clean estimate and averaged inside each mask, so that small
    defects count as much as large ones. Not `masked`, it is the plain error of the whole crop.
    """

    def __init__(self, net: TokenNet, masked: bool, margin: int) -> None:
        self.net, self.masked, self.margin = net, masked, margin

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch of defects."""
        condition = condition_of(self.net, batch, batch["label"], torch.ones_like(batch["scale"]))
        error, weight = weighed_error(self.net, batch, condition, rng)
        per_crop = error.mean((1, 2, 3))
        if self.masked:
            per_crop = mean_inside(error, region_of(condition.mask, self.margin))
        return [((weight * per_crop).mean(), self.net.token_parameters)]


def condition_of(net: TokenNet, batch: Mapping[str, Tensor], label: Tensor, told: Tensor) -> Condition:
    """Return what a batch shows; a good crop is told under which mask there is no defect."""
    is_good = (batch["label"] == net.good)[:, None, None, None]
    return Condition(label, torch.where(is_good, batch["asked"], batch["mask"]), told, batch["scale"])


def weighed_error(
    net: TokenNet, batch: Mapping[str, Tensor], condition: Condition, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the squared error of the clean estimate, (N, 1, S, S), and the weight of each crop's noise level, (N,)."""
    clean = F.conv2d(batch["image"], net.palette[:, :, None, None])
    sigma = training_sigmas(len(clean), rng)
    noise = torch.randn(clean.shape, generator=rng, device=rng.device)
    estimate = net(clean + sigma[:, None, None, None] * noise, sigma, condition)
    return ((estimate - clean) ** 2).mean(1, keepdim=True), loss_weight(sigma, SIGMA_DATA)
