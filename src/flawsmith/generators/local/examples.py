"""Training defects to begin a painting from, each laid under the mask that is asked for.

SDEdit (Meng et al. 2022): noise of a middle strength on a picture hides its detail and keeps its layout; what is
denoised from there is new, but built like the real thing. A handful of defects is too few to learn, in minutes, how
glass splinters; it is enough to show it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from scipy.ndimage import gaussian_filter, map_coordinates

from flawsmith.core.errors import StageError
from flawsmith.core.files import write_bytes
from flawsmith.core.records import Image, Mask, Sample
from flawsmith.core.symmetry import Symmetry
from flawsmith.generators.crops.scales import crop_around, pyramid, scaled_hw, shrink_mask
from flawsmith.generators.crops.tone import Plate, plate_of
from flawsmith.generators.local.bending import Field, bend
from flawsmith.generators.local.settings import LocalSettings
from flawsmith.masks.guide import measure_guide
from flawsmith.masks.morphology import clusters, dilate, thickness_px, tight

KEY, ARRAYS = "flawsmith", ("image", "own", "mask")
GRID = 24
"""Masks are compared on a grid of this many points a side."""
STEPS_AROUND = 24
"""A round part's defects are tried at this many angles."""
LEAST_SIZE, MOST_SIZE = 0.7, 1.4
"""An example is resized within this range to fit a mask."""
LEAST_GAIN, MOST_GAIN = 0.6, 1.6
"""An example is made weaker or stronger within this range to come nearer to a wished contrast."""
SMOOTH_PX = 1.5
"""Examples are bent smoothly over about this many pixels of the coarsest canvas."""
NEARLY_BEST = 0.85
"""Examples that cover the mask at least this share as well as the best one may be begun from, too."""


@dataclass(frozen=True)
class Example:
    """A training defect with its surroundings: pixels (HWC), this defect's own pixels and those of all defects (HW).

    `source` is the id of the image it was cut from, `reach` the half width, in pixels, of what the generator repaints
    around it, `contrast` its guide measure.
    """

    label: str
    source: str
    image: Image
    own: Mask
    mask: Mask
    reach: float
    contrast: float

    @cached_property
    def points(self) -> NDArray[np.int64]:
        """The defect's own pixels, shape (K, 2), in rows and columns."""
        return np.argwhere(self.own)

    @cached_property
    def thickness(self) -> float:
        """How thick the defect is, in pixels."""
        return thickness_px(self.own)

    @cached_property
    def outside(self) -> NDArray[np.bool_]:
        """Where nothing is repainted (HW)."""
        return ~dilate(self.own, self.reach)

    def tones(self, channels: int) -> Plate:
        """Return the picture in tones relative to the mean of the defect's surroundings, HWC."""
        plate = plate_of(self.image, channels)
        mean = plate[self.outside].mean(0) if self.outside.any() else np.zeros(channels)
        return np.asarray(plate - mean, np.float32)


@dataclass(frozen=True)
class Laid:
    """An example as it lies under a mask: pixel q of the patch (row and column, at the camera's own scale) shows the
    example's pixel `back` @ (q + u - `target`) + `centre`, where u is what `bent`, (2, H, W) in pixels of a canvas at
    `scale`, says of the place. It stands out `gain` times as strongly.
    """

    example: Example
    back: NDArray[np.float64]
    centre: NDArray[np.float64]
    target: NDArray[np.float64]
    bent: Field
    scale: float
    gain: float = 1.0

    def view(self, scale: float, size_hw: tuple[int, int], channels: int) -> tuple[Plate, NDArray[np.bool_]]:
        """Return tones (HWC, mirrored beyond what the example shows) and defect mask (HW) of a canvas at `scale`."""
        tones, places = self.example.tones(channels), self._places(scale, size_hw)
        shrinks = scale * float(np.sqrt(abs(np.linalg.det(self.back))))
        if shrinks > 1:
            tones = gaussian_filter(tones, (0.35 * shrinks, 0.35 * shrinks, 0))
        layers = [map_coordinates(tones[..., c], places, order=1, mode="mirror") for c in range(channels)]
        return np.float32(self.gain) * np.stack(layers, 2), self._share(self.example.mask, places)

    def own(self, scale: float, size_hw: tuple[int, int]) -> Mask:
        """Return the defect's own pixels on a canvas at `scale` (HW)."""
        return self._share(self.example.own, self._places(scale, size_hw))

    def _places(self, scale: float, size_hw: tuple[int, int]) -> Field:
        """Return where in the example each pixel of a canvas looks, (2, H, W)."""
        pixels = np.indices(size_hw) * scale + (scale - 1) / 2  # the first pixel's middle lies in it, not at 0
        if self.bent.any():
            coarse = (pixels + 0.5) / self.scale - 0.5
            moved = [map_coordinates(each, coarse, order=1, mode="nearest") for each in self.bent]
            pixels = pixels + self.scale * np.stack(moved)
        return np.asarray(np.tensordot(self.back, pixels - self.target[:, None, None], 1) + self.centre[:, None, None])

    @staticmethod
    def _share(mask: Mask, places: Field) -> Mask:
        return np.asarray(map_coordinates(mask.astype(np.float32), places, order=1) > 0.4)


def cut_examples(sample: Sample, settings: LocalSettings) -> list[Example]:
    """Return every defect of a sample with what the coarsest crop shows around it."""
    found = []
    for defect in sample.defects:
        for part in clusters(defect.mask):
            box = tight(part)
            scale = pyramid(max(box.size_hw), settings.side, settings.fill)[0]
            around = (box.left, box.top, box.right, box.bottom)
            window = crop_around(around, scale, settings.side, sample.size_hw)
            contrast = measure_guide(sample.image, part)["contrast"]
            image, own, mask = (window.cut(each).copy() for each in (sample.image, part, sample.mask))
            found.append(Example(defect.label, sample.id, image, own, mask, settings.margin * scale, contrast))
    return found


def lay_under(
    mask: Mask,
    scale: float,
    examples: Sequence[Example],
    symmetry: Symmetry,
    contrast: float | None,
    rng: np.random.Generator,
) -> Laid:
    """Turn, resize and move a training defect so that it covers a patch's mask (HW) best, as seen at `scale`, and bend
    it to cover it wholly.

    One of another thickness covers it worse: bent to fill the mask, a thin crack becomes a furrow. Of those that cover
    it about as well, the one nearest to the wished contrast is taken, or, without a wish, any, and made stronger or
    weaker towards that wish.
    """
    asked = shrink_mask(mask, scaled_hw((mask.shape[0], mask.shape[1]), scale))
    points = np.argwhere(asked)
    spread = max(float(np.ptp(points, axis=0).max()) + 1, 4.0)
    step = 1.6 * spread / GRID
    rows, columns = np.mgrid[:GRID, :GRID]
    grid = (np.stack([rows, columns], -1).reshape(-1, 2) - (GRID - 1) / 2) * step
    wanted, inside = _look_up(asked, grid + points.mean(0))
    thick = thickness_px(mask) / scale
    choices: list[tuple[float, Example, NDArray[np.float64]]] = []
    for example in examples:
        size = float(np.clip(np.sqrt(len(example.points) / len(points)), LEAST_SIZE * scale, MOST_SIZE * scale))
        centre, thicker = example.points.mean(0), example.thickness / size / thick
        for turn in _turns(symmetry):
            back = size * turn
            shown, _ = _look_up(example.own, grid @ back.T + centre)
            union = int(((shown | wanted) & inside).sum())
            overlap = float((shown & wanted & inside).sum()) / max(union, 1)
            choices.append((overlap * min(thicker, 1 / thicker), example, back))
    best = max(cover for cover, _, _ in choices)
    close = [choice for choice in choices if choice[0] >= NEARLY_BEST * best]
    if contrast is not None:
        nearest = min(abs(example.contrast - contrast) for _, example, _ in close)
        close = [choice for choice in close if abs(choice[1].contrast - contrast) <= nearest]
    _, example, back = close[int(rng.integers(len(close)))]
    straight = Laid(
        example, back / scale, example.points.mean(0), np.argwhere(mask).mean(0), np.zeros((2, 1, 1)), scale
    )
    shown = straight.own(scale, (asked.shape[0], asked.shape[1]))
    return replace(straight, bent=bend(shown, asked, SMOOTH_PX), gain=_gain(example.contrast, contrast))


def _gain(contrast: float, wished: float | None) -> float:
    """Return by how much an example's contrast is multiplied to come nearer to a wish of the same sign."""
    if wished is None or contrast * wished <= 0:
        return 1.0
    return float(np.clip(wished / contrast, LEAST_GAIN, MOST_GAIN))


def _look_up(mask: Mask, places: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what a mask says at (K, 2) places, and which of them lie in it."""
    nearest = np.rint(places).astype(np.int64)
    inside = np.asarray(((nearest >= 0) & (nearest < mask.shape)).all(1))
    said = np.zeros(len(places), bool)
    said[inside] = mask[nearest[inside, 0], nearest[inside, 1]]
    return said, inside


def _turns(symmetry: Symmetry) -> list[NDArray[np.float64]]:
    if symmetry == "none":
        return [np.eye(2)]
    flips = [np.diag([1.0, 1.0]), np.diag([1.0, -1.0])]
    if symmetry == "mirror":
        return [sign * flip for sign in (1, -1) for flip in flips]
    angles = np.arange(STEPS_AROUND) * (2 * np.pi / STEPS_AROUND)
    return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ flip for a in angles for flip in flips]


def save_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write examples as one safetensors file; equal ones give equal bytes."""
    tensors = {
        f"{number:05d}/{name}": np.ascontiguousarray(getattr(example, name))
        for number, example in enumerate(examples)
        for name in ARRAYS
    }
    rows = [
        {"label": each.label, "source": each.source, "reach": each.reach, "contrast": each.contrast}
        for each in examples
    ]
    write_bytes(path, save(tensors, {KEY: json.dumps(rows, sort_keys=True)}))


def load_examples(path: Path) -> list[Example]:
    """Read what `save_examples` wrote. Raises StageError where there is nothing."""
    if not path.is_file():
        raise StageError(f"there are no examples at {path}: fit the generator again")
    with safe_open(path, framework="numpy") as file:
        rows = json.loads(file.metadata()[KEY])
        held = [[file.get_tensor(f"{n:05d}/{name}") for name in ARRAYS] for n in range(len(rows))]
    return [
        Example(row["label"], row["source"], image, own, mask, row["reach"], row["contrast"])
        for row, (image, own, mask) in zip(rows, held, strict=True)
    ]
