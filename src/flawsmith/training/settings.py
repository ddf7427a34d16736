"""The training loop's settings, and the two schedules that follow from them."""

from __future__ import annotations

import math

from pydantic import Field

from flawsmith.core.settings import Settings
from flawsmith.training.device import Precision

_EMA_RAMP = 0.1


class LoopSettings(Settings):
    """How a network is trained."""

    steps: int = Field(1000, ge=1, description="optimiser steps")
    batch: int = Field(16, ge=1, description="samples a step, all processes together")
    learning_rate: float = Field(4e-4, gt=0, description="the highest; warmed up to linearly, then a cosine down to 0")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    warmup_share: float = Field(0.1, ge=0, le=1, description="share of the steps that warm up")
    ema_halflife_share: float = Field(0.05, ge=0, description="half-life of the weight average as a share of the steps")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of a turn's gradient")
    precision: Precision = Field("auto", description="auto takes bf16 where the hardware has it")
    channels_last: bool = Field(True, description="memory layout of images and convolutions")
    checkpoint_seconds: float = Field(30.0, ge=0, description="time between checkpoints")
    log_every: int = Field(50, ge=1, description="steps a logged loss is the mean of")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, ...")


def learning_rate(settings: LoopSettings, step: int) -> float:
    """Return the learning rate of step `step` (from 0): linear warm-up, then a cosine towards 0.

    >>> [round(learning_rate(LoopSettings(steps=10, learning_rate=1.0, warmup_share=0.2), i), 2) for i in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.04]
    """
    warm = round(settings.warmup_share * settings.steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / (settings.steps - warm)))


def ema_decay(settings: LoopSettings, step: int) -> float:
    """Return the share of the average that step `step` (from 0) keeps.

    The half-life ramps up with the steps done, so that the random start is soon forgotten (as in the reference code of
    Karras et al. 2022).
    """
    halflife = min(settings.ema_halflife_share * settings.steps, _EMA_RAMP * (step + 1))
    return float(0.5 ** (1 / halflife)) if halflife > 0 else 0.0
