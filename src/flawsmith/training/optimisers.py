"""One AdamW per turn: gradients are taken for all turns first, then everything moves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from flawsmith.core.errors import TrainingError
from flawsmith.training.ranks import Ranks

Turns = list[tuple[Tensor, list[nn.Parameter]]]
Gradients = list[Tensor | None]


def build_optimisers(
    turns: Turns, net: nn.Module, weight_decay: float, stored: Mapping[str, Tensor]
) -> list[torch.optim.AdamW]:
    """Return an optimiser per turn, its state taken from `stored` ('optimiser/TURN/PARAMETER/KEY') where it is there.

    Raises TrainingError for a turn that moves nothing, or a parameter that `net` does not hold.
    """
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    optimisers = []
    for number, (_, parameters) in enumerate(turns):
        moved = [each for each in parameters if each.requires_grad]
        if not moved or any(id(each) not in names for each in moved):
            what = "parameters that the network given to train() does not hold" if moved else "nothing"
            raise TrainingError(f"turn {number} of the learner moves {what}: give train() one module that holds them")
        optimiser = torch.optim.AdamW(moved, weight_decay=weight_decay, fused=True)
        for parameter in moved:
            _refill(optimiser, parameter, stored, f"optimiser/{number}/{names[id(parameter)]}/")
        optimisers.append(optimiser)
    return optimisers


def optimiser_tensors(optimisers: list[torch.optim.AdamW], net: nn.Module) -> dict[str, Tensor]:
    """Return the state of all optimisers under the names `build_optimisers` looks for."""
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return {
        f"optimiser/{number}/{names[id(parameter)]}/{key}": value
        for number, optimiser in enumerate(optimisers)
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def gradients_of(loss: Tensor, optimiser: torch.optim.AdamW, ranks: Ranks, clip: float) -> tuple[Gradients, Tensor]:
    """Return the clipped gradients of `loss` (their mean over processes), and their norm before clipping.

    `backward`, not `autograd.grad`: it lays gradients out in memory as their parameters are, which fused AdamW needs.
    """
    parameters: list[nn.Parameter] = optimiser.param_groups[0]["params"]
    loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
    if ranks.count > 1:
        for each in parameters:
            each.grad = torch.zeros_like(each) if each.grad is None else each.grad
        ranks.mean([each.grad for each in parameters if each.grad is not None])
    norm = nn.utils.clip_grad_norm_(parameters, clip)
    gradients = [each.grad for each in parameters]
    optimiser.zero_grad()  # turns may share parameters: each keeps its own gradients until all are known
    return gradients, norm


def move(optimiser: torch.optim.AdamW, gradients: Gradients, rate: float) -> None:
    """Take one AdamW step along `gradients` with learning rate `rate`."""
    group = optimiser.param_groups[0]
    for parameter, gradient in zip(group["params"], gradients, strict=True):
        parameter.grad = gradient
    group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad()


def _refill(optimiser: torch.optim.AdamW, parameter: nn.Parameter, stored: Mapping[str, Tensor], prefix: str) -> None:
    for name in [each for each in stored if each.startswith(prefix)]:
        value = stored[name]
        like = torch.empty_like(parameter) if value.shape == parameter.shape else parameter.new_empty(value.shape)
        optimiser.state[parameter][name.removeprefix(prefix)] = like.detach().copy_(value)
