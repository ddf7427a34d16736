"""The few interfaces between rooms. Structural: nothing inherits from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flawsmith.core.geometry import Window
from flawsmith.core.records import Catalog, Findings, Image, Painting, Patch
from flawsmith.core.settings import Settings

if TYPE_CHECKING:
    import torch

Progress = Callable[[str, int, int, str], None]
"""Called as progress(task, done, total, note) whenever something moved on."""


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Report progress to nobody."""


class Generator(Protocol):
    """Paints defects into pieces of background. Each patch's seed alone decides its randomness: how patches are
    batched, or by how many workers, never changes a picture.

    `takes_mask`: whether it can be told where the defect shall be. One that cannot is asked for one defect an image:
    its window is the whole picture, and the mask of its patches is empty.
    """

    weights_sha256: str
    takes_mask: bool

    def window(self, box_xyxy: tuple[float, float, float, float], size_hw: tuple[int, int]) -> Window:
        """Return the crop of the background that it wants to see to paint a defect into this box."""
        ...

    def paint(self, patches: Sequence[Patch]) -> list[Painting]:
        """Return one painting per patch, in order."""
        ...


class GeneratorFamily(Protocol):
    """A registered kind of generator: how it is learnt, and how a learnt one is opened."""

    settings: type[Settings]

    def fit(self, catalog: Catalog, settings: Any, folder: Path, *, seed: int, progress: Progress = silent) -> None:
        """Learn from the training entries of `catalog` and write the model into `folder` (safetensors + JSON).

        Called again on the same folder after an interruption, it resumes and ends with the same files.
        """
        ...

    def load(self, folder: Path, sampling: Any = None) -> Generator:
        """Open what `fit` wrote. `sampling` says how to draw from it: the part of that name of the family's settings,
        if they have one, which is no business of `fit`; None means its defaults.
        """
        ...


class Gate(Protocol):
    """Scores one synthetic sample; higher is better, None where there is nothing to score. Fitted on training samples
    only.
    """

    def __call__(self, candidate: Any, context: Any) -> float | None: ...


class Denoiser(Protocol):
    """(noisy NCHW, sigma (N,)) -> estimate of the clean NCHW; conditions are closed over."""

    def __call__(self, x_NCHW: torch.Tensor, sigma_N: torch.Tensor) -> torch.Tensor: ...


class Learner(Protocol):
    """Anything the one training loop can teach."""

    def turns(self, batch: Any, rng: torch.Generator) -> list[tuple[torch.Tensor, list[torch.nn.Parameter]]]:
        """Return one (loss, parameters to move) per turn: one for diffusion and inspectors, two for a GAN."""
        ...


class Inspector(Protocol):
    """Judges images: HWC arrays in, scores per image and per pixel out."""

    def inspect(self, images: Sequence[Image]) -> Findings: ...


class Reader(Protocol):
    """A data set layout: recognises its folders and reads them into a catalog."""

    def recognises(self, root: Path) -> bool: ...

    def read(self, root: Path) -> Catalog: ...
