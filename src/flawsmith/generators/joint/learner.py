"""How the network learns: to denoise picture and mask inside a window around each defect."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flawsmith.diffusion.inpainting import mean_inside
from flawsmith.diffusion.preconditioning import loss_weight, training_sigmas
from flawsmith.generators.crops.mask_channel import as_channel
from flawsmith.generators.joint.freedom import window_of_freedom
from flawsmith.generators.joint.net import SIGMA_DATA, Condition, JointNet
from flawsmith.generators.joint.settings import JointSettings


class JointLearner:
    """One turn a step: the preconditioned squared error (Karras et al. 2022, eq. 8), averaged inside each window.

    The window's sides lie 0 to twice the margin away from the defect, so that its size says roughly, not exactly, how
    large the defect is, and its middle not exactly where.
    """

    def __init__(self, net: JointNet, settings: JointSettings) -> None:
        self.net, self.settings = net, settings

    def turns(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> list[tuple[Tensor, list[nn.Parameter]]]:
        """Return the loss of a batch (see `crops.bank.CropBank`)."""
        count, device = len(batch["label"]), rng.device
        room = torch.randint(2 * self.settings.margin + 1, (count, 4), generator=rng, device=device)
        free = window_of_freedom(batch["asked"], room)
        known = F.conv2d(batch["image"], self.net.palette[:, :, None, None])
        clean = torch.cat([known, as_channel(batch["mask"])], 1)
        dropped = torch.rand(count, generator=rng, device=device) < self.settings.label_dropout
        label = torch.where(dropped, self.net.any_class, batch["label"])
        sigma = training_sigmas(count, rng)
        noise = torch.randn(clean.shape, generator=rng, device=device)
        condition = Condition(known, free, label, batch["scale"])
        estimate = self.net(clean + sigma[:, None, None, None] * noise, sigma, condition)
        error = ((estimate - clean) ** 2).mean(1, keepdim=True)
        return [((loss_weight(sigma, SIGMA_DATA) * mean_inside(error, free)).mean(), list(self.net.parameters()))]
