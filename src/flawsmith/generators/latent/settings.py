"""Settings of the latent diffusion generator."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from flawsmith.core.settings import Settings
from flawsmith.core.symmetry import Symmetry, check_turns
from flawsmith.diffusion.betas import BetaSchedule
from flawsmith.diffusion.chain import Prediction
from flawsmith.nets.vqvae import VqVaeSettings
from flawsmith.training.settings import LoopSettings


class AutoencoderSettings(Settings):
    """The VQ-VAE, and how it is trained."""

    net: VqVaeSettings = VqVaeSettings()
    commitment: float = Field(0.25, ge=0, description="weight of the vectors' distance from their codes in the loss")
    epochs: int | None = Field(
        None, ge=1, description="passes over the defect images (the paper: 50); decides loop.steps where given"
    )
    loop: LoopSettings = LoopSettings(steps=3000, batch=8, learning_rate=4e-4)


class LatentChainSettings(Settings):
    """How noise is added, step by step, in training."""

    steps: int = Field(1000, ge=2, description="steps from picture to noise (the paper: 1000)")
    schedule: BetaSchedule = Field("linear", description="how its betas rise")
    beta_first: float = Field(1e-4, gt=0, lt=1, description="noise variance of the first step; cosine has its own")
    beta_last: float = Field(0.02, gt=0, lt=1, description="noise variance of the last step; cosine has its own")
    prediction: Prediction = Field(
        "epsilon", description="what the network gives: the noise (epsilon), the velocity (v_prediction) or the latent"
    )


class LatentNetSettings(Settings):
    """Size of the denoising network, and where it is told name and place."""

    widths: tuple[int, ...] = Field((64, 128, 256), min_length=1, description="channels per size, each half the last")
    blocks: int = Field(2, ge=1, description="residual blocks per size")
    embedding: int = Field(256, ge=16, description="length of the vectors that step, name and place become")
    told: Literal["middle", "everywhere"] = Field(
        "middle", description="which blocks are told name and place: the middle one (the paper) or every one"
    )


class CheckpointSettings(Settings):
    """How the training is looked at on its way: pictures at the captions of real ones, compared outside defects."""

    every_epochs: int | None = Field(
        None, ge=1, description="epochs between two looks (the paper: 10); null looks ten times in all"
    )
    images: int = Field(10, ge=0, description="real defect images compared with; 0 never looks")
    keep_weights: bool = Field(False, description="keep the weights of each look, to draw from (latent.sampling.epoch)")
    vgg: Path | None = Field(
        None, description="weights of VGG-16 (.safetensors or .pth) for LPIPS; without, the VQ-VAE's own encoder sees"
    )
    lpips_weights: Path | None = Field(None, description="LPIPS's linear weights for VGG-16; without, channels count 1")

    @model_validator(mode="after")
    def _weights_must_fit(self) -> Self:
        if self.lpips_weights is not None and self.vgg is None:
            raise ValueError("lpips_weights belong to VGG-16: set vgg too")
        return self


class LatentSamplingSettings(Settings):
    """How images are drawn from the trained networks."""

    sampler: str = Field(
        "euler_ancestral",
        description="registered name; the paper's with all the steps. Its fresh noise mends what a network that has "
        "learnt little gets wrong early",
    )
    steps: int = Field(50, ge=1, description="noise levels; as many as the chain has, or more, takes all of its own")
    guidance: float = Field(1.0, ge=0, description="classifier-free guidance: 1 is none (the paper), more exaggerates")
    place: Literal["seen", "jittered", "random"] = Field(
        "jittered", description="x and y: of a training image of the class, moved a little, or anywhere in the period"
    )
    jitter_px: float = Field(2.0, ge=0, description="standard deviation of jittered places, in camera pixels")
    place_xy: tuple[float, float] | None = Field(
        None, description="x and y of every image, in camera pixels, in place of a training image's"
    )
    epoch: int | None = Field(None, ge=1, description="draw from the weights kept at this epoch; null from the last")
    batch: int = Field(
        4, ge=1, description="images per network call, always filled up: it may change an image's last bits"
    )


class LatentSettings(Settings):
    """Everything the latent diffusion generator can be told."""

    size_hw: tuple[int, int] = Field((128, 128), description="height and width of the pictures the networks see")
    captions: Path | None = Field(
        None,
        description="folder of caption files `x, y, name`, or what `flawsmith captions` wrote; without, images are "
        "told apart by their class alone",
    )
    locate: bool = Field(
        False, description="find x and y by template matching, with the pattern of the training part's good images"
    )
    clip: Path | None = Field(
        None,
        description="folder of a CLIP text model (layout of transformers) that names are read by; without, each name "
        "has a row of a learnt table",
    )
    good_share: float = Field(0.3, ge=0, lt=1, description="share of a batch that is defect-free, named `good`")
    good_images: int = Field(400, ge=1, description="defect-free images learnt from and compared with, at most")
    dropout: float = Field(0.1, ge=0, le=1, description="share of a batch that is told neither name nor place")
    epochs: int | None = Field(
        None, ge=1, description="passes over the defect images (the paper: 200); decides loop.steps where given"
    )
    symmetry: Symmetry = Field(
        "none", description="views of a picture that are trained on: as it is, mirrored both ways, or all eight"
    )
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    chain: LatentChainSettings = LatentChainSettings()
    net: LatentNetSettings = LatentNetSettings()
    loop: LoopSettings = LoopSettings(steps=6000, batch=8, learning_rate=2e-4)
    checkpoints: CheckpointSettings = CheckpointSettings()
    sampling: LatentSamplingSettings = LatentSamplingSettings()

    @model_validator(mode="after")
    def _places_must_hold(self) -> Self:
        if self.captions is not None and self.locate:
            raise ValueError("captions give the places: choose them or locate, not both")
        if (self.captions is not None or self.locate) and self.symmetry != "none":
            raise ValueError("a mirrored picture is at another place of the pattern: use symmetry 'none' with places")
        return self

    @model_validator(mode="after")
    def _sizes_must_halve(self) -> Self:
        step = self.autoencoder.net.reduction * int(2 ** (len(self.net.widths) - 1))
        if any(side % step or side < step for side in self.size_hw):
            raise ValueError(f"size_hw {self.size_hw} must be multiples of {step}: choose others, or fewer widths")
        check_turns(self.symmetry, self.size_hw)
        return self
