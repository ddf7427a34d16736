"""How the network learns: one noise level for picture and defect, a noise of its own for each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from flawsmith.diffusion.preconditioning import loss_weight
from flawsmith.generators.dualanodiff.ground import alone
from flawsmith.generators.dualanodiff.net import Condition, DualNet


class DualLearner:
    """One turn a step: the preconditioned squared error (Karras et al. 2022, eq. 8) of both branches.

    A defect's pixels count no more than others. Where they are is part of what is estimated: weighed by it, the best
    estimate would no longer be the mean of what the picture may be, and defects would come out too large.
    """

    def __init__(self, net: DualNet, dropout: float) -> None:
        self.net, self.dropout = net, dropout

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch (see `pairs.PairBank`)."""
        image, mask, label, trunk = batch["image"], batch["mask"], batch["label"], self.net.trunk
        clean = torch.cat([trunk.enter(image), trunk.enter(alone(image, mask, self.net.colour))], 1)
        background = trunk.enter(batch["background"])
        sigma = trunk.training_sigmas(len(clean), rng)
        noise, behind = (torch.randn(each.shape, generator=rng, device=rng.device) for each in (clean, background))
        dropped = torch.rand(len(label), generator=rng, device=rng.device) < self.dropout
        condition = Condition(torch.where(dropped, self.net.nothing, label), background, behind)
        estimate = self.net(clean + sigma[:, None, None, None] * noise, sigma, condition)
        error = ((estimate - clean) ** 2).mean((1, 2, 3))
        return [((loss_weight(sigma, trunk.sigma_data) * error).mean(), list(self.net.parameters()))]
