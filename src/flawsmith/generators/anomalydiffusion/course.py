"""The stages of a fit: what learns, from what, in which order. What is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawsmith.core.protocols import Progress
from flawsmith.core.rng import derive_seed
from flawsmith.generators.anomalydiffusion.learner import TokenLearner
from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.crops.bank import CropBank
from flawsmith.training.loop import train
from flawsmith.training.settings import LoopSettings
from flawsmith.training.weights import load_weights, save_net

FIRST = "first_stage.safetensors"
"""What the first stage learnt, kept until the second is done: an interrupted fit goes on from there."""

Losses = list[tuple[int, float]]


@dataclass(frozen=True)
class Stage:
    """What learns, from which crops, for how long; `kept` is the file that its end is kept in for the next stage."""

    task: str
    learner: TokenLearner
    bank: CropBank
    loop: LoopSettings
    seed: int
    kept: str | None = None


def course_of(net: TokenNet, bank: CropBank, settings: AnomalyDiffusionSettings, seed: int) -> tuple[Stage, ...]:
    """Return the stages: everything by the plain loss, then the tokens of the defects by what lies under the mask.

    On a model that others have learnt there is one: all tokens, by what lies under the mask. Defect-free crops and the
    tokens of nothing, which guidance needs, then belong to it.
    """
    margin = settings.margin if settings.masked_loss else None
    seed_of_tokens, dropout = derive_seed(seed, "tokens"), settings.condition_dropout
    if settings.weights is not None:
        learner = TokenLearner(net, list(net.parameters()), dropout, margin)
        return (Stage("fit tokens", learner, bank, settings.token_loop, seed_of_tokens),)
    additions = {id(each) for each in net.trunk.additions}
    everything = TokenLearner(net, [each for each in net.parameters() if id(each) not in additions], dropout, None)
    of_defects = TokenLearner(net, [*net.tokens.of_defects, *net.trunk.additions], 0.0, margin)
    only_defects = CropBank(bank.defects, [], settings)
    return (
        Stage("fit", everything, bank, settings.loop, seed, FIRST),
        Stage("fit tokens", of_defects, only_defects, settings.token_loop, seed_of_tokens),
    )


def go_through(course: Sequence[Stage], net: TokenNet, folder: Path, progress: Progress) -> Losses:
    """Do every stage, or take up what it learnt, and return the losses of all, their steps counted on."""
    losses: Losses = []
    done = 0
    for stage in course:
        home = None if stage.kept is None else folder / stage.kept
        if home is not None and home.is_file():
            tensors, config = load_weights(home)
            net.load_state_dict(tensors)
            losses = [(step, loss) for step, loss in config["losses"]]
        else:
            log = train(
                net, stage.learner, stage.bank.batch, stage.loop, folder,
                seed=stage.seed, progress=progress, task=stage.task,
            )  # fmt: skip
            losses += [(done + step, loss) for step, loss in log.losses]
            if home is not None:
                save_net(home, net, {"losses": losses})
        done += stage.loop.steps
    return losses
