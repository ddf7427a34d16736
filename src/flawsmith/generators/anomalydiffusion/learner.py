"""How the network learns: by the error of the whole crop, or of what lies under the mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from flawsmith.diffusion.inpainting import mean_inside, region_of
from flawsmith.diffusion.preconditioning import loss_weight
from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.tokens import Condition


class TokenLearner:
    """Moves `parameters` by the squared error of the clean estimate; a share `dropout` of the crops is told nothing.

    With a `margin`, masked textual inversion (Hu et al. 2024): the mean inside each mask grown by so many pixels, so
    that small defects count as much as large ones. With None, the plain error of the whole crop.
    """

    def __init__(self, net: TokenNet, parameters: Sequence[nn.Parameter], dropout: float, margin: int | None) -> None:
        self.net, self.parameters, self.dropout, self.margin = net, list(parameters), dropout, margin

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch (see `crops.bank.CropBank`)."""
        trunk, condition = self.net.trunk, self._condition(batch, rng)
        clean = trunk.enter(batch["image"], batch["around"])
        sigma = trunk.training_sigmas(len(clean), rng)
        noise = torch.randn(clean.shape, generator=rng, device=rng.device)
        estimate = self.net(clean + sigma[:, None, None, None] * noise, sigma, condition)
        error = ((estimate - clean) ** 2).mean(1, keepdim=True)
        if self.margin is None:
            per_crop = error.mean((1, 2, 3))
        else:
            per_crop = mean_inside(error, trunk.cells(region_of(condition.mask, self.margin)))
        return [((loss_weight(sigma, trunk.sigma_data) * per_crop).mean(), self.parameters)]

    def _condition(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> Condition:
        """Return what a batch shows; a good crop is told under which mask there is no defect."""
        is_good = (batch["label"] == self.net.good)[:, None, None, None]
        mask = torch.where(is_good, batch["asked"], batch["mask"])
        dropped = torch.rand(len(mask), generator=rng, device=rng.device) < self.dropout
        label = torch.where(dropped, self.net.nothing, batch["label"])
        return Condition(label, mask, (~dropped).float(), batch["scale"])
