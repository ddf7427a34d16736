"""Training crops: drawn around defects at each of their scales, and from defect-free background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from torch import Tensor

from flawsmith.core.errors import TrainingError
from flawsmith.core.records import GOOD, Catalog, Defect, Mask, Sample
from flawsmith.core.rng import stream
from flawsmith.core.symmetry import draw_view
from flawsmith.data.loading import load_sample
from flawsmith.generators.crops.palette import Palette, measured_palette
from flawsmith.generators.crops.scales import crop_around, pyramid, scaled_hw, shrink, shrink_mask
from flawsmith.generators.crops.settings import CropSettings
from flawsmith.generators.crops.tone import Plate, plate_of
from flawsmith.masks.guide import GUIDE, measure_guide
from flawsmith.masks.morphology import clusters, dilate, tight

_COS2, _SIN2 = GUIDE.index("orientation_cos2"), GUIDE.index("orientation_sin2")


@dataclass(frozen=True)
class View:
    """One defect at one scale: its image as HWC tones relative to the defect's surroundings, the mask of all defects
    (HW), this one's pixels (K, 2) to centre crops on, its guide vector, and the surroundings' mean tones (C,).
    """

    pixels: Plate
    scale: float
    mask: NDArray[np.bool_]
    centres_yx: NDArray[np.int64]
    guide: NDArray[np.float32]
    around: Plate


def defect_views(sample: Sample, channels: int, settings: CropSettings) -> dict[str, list[list[View]]]:
    """Return, per class, one list of views (coarse to fine) for each defect of a sample."""
    plate = plate_of(sample.image, channels)
    found: dict[str, list[list[View]]] = {}
    everything = sample.mask
    for defect in (Defect(whole.label, part) for whole in sample.defects for part in clusters(whole.mask)):
        left, top, right, bottom = defect.box_xyxy
        scales = pyramid(max(bottom - top, right - left), settings.side, settings.fill)
        measures = measure_guide(sample.image, defect.mask)
        guide = np.array([measures[name] for name in GUIDE], np.float32)
        around = surroundings_mean(plate, defect.mask, scales[0], settings)
        centred = plate - around
        views = []
        for scale in scales:
            size_hw = scaled_hw(sample.size_hw, scale)
            centres = np.argwhere(shrink_mask(defect.mask, size_hw))
            mask = shrink_mask(everything, size_hw)
            views.append(View(shrink(centred, size_hw), scale, mask, centres, guide, around))
        found.setdefault(defect.label, []).append(views)
    return found


def surroundings_mean(plate: Plate, mask: Mask, scale: float, settings: CropSettings) -> Plate:
    """Return the mean tones (C,) around a defect: of what its coarsest crop shows outside the repainted region."""
    box = tight(mask)
    window = crop_around(
        (box.left, box.top, box.right, box.bottom), scale, settings.side, (mask.shape[0], mask.shape[1])
    )
    outside = window.cut(plate)[~window.cut(dilate(mask, settings.margin * scale))]
    return np.asarray(outside.mean(0) if len(outside) else np.zeros(plate.shape[2]), np.float32)


def palette_of(defects: Mapping[str, Sequence[Sequence[View]]]) -> Palette:
    """Return the palette in which these defects are seen best."""
    finest = [views[-1] for per_class in defects.values() for views in per_class]
    return measured_palette([view.pixels[view.mask] for view in finest])


class CropBank:
    """Everything the network learns from, cut and scaled once; a batch is then a matter of slicing.

    Batches are mappings of tensors: `image` (N, C, S, S) tones relative to the surroundings, `around` (N, C) these,
    `mask` and `asked` (N, 1, S, S) in {0, 1},
    `label` (N,) class numbers, `guide` (N, G), `scale` (N,) log2 of camera pixels per network pixel.
    """

    def __init__(
        self, defects: Mapping[str, Sequence[Sequence[View]]], good: Sequence[Plate], settings: CropSettings
    ) -> None:
        self.labels = tuple(sorted(defects))
        self.defects = defects
        self.good = good
        self.settings = settings
        self.scales = sorted({view.scale for label in self.labels for views in defects[label] for view in views})

    def coarse(self) -> CropBank:
        """Return a bank of the coarsest views alone, for generators that paint at no finer scale."""
        views = {label: [each[:1] for each in defects] for label, defects in self.defects.items()}
        return CropBank(views, self.good, self.settings)

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Draw a batch: a share of good crops under borrowed masks, the rest spread evenly over the classes."""
        rows = [self._row(rng) for _ in range(size)]
        images, masks, asked, labels, guides, scales, around = zip(*rows, strict=True)
        return {
            "image": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
            "mask": torch.from_numpy(np.stack(masks))[:, None].float(),
            "asked": torch.from_numpy(np.stack(asked))[:, None].float(),
            "label": torch.tensor(labels),
            "guide": torch.from_numpy(np.stack(guides)),
            "scale": torch.tensor(scales, dtype=torch.float32),
            "around": torch.from_numpy(np.stack(around)),
        }

    def _row(
        self, rng: np.random.Generator
    ) -> tuple[Plate, NDArray[np.bool_], NDArray[np.bool_], int, Plate, float, Plate]:
        number = int(rng.integers(len(self.labels)))
        defects = self.defects[self.labels[number]]
        views = defects[int(rng.integers(len(defects)))]
        view = views[int(rng.integers(len(views)))]
        image, mask = self._cut(view, rng)
        guide, asked, around = view.guide, mask, view.around
        if self.good and rng.random() < self.settings.good_share:
            plate = self.good[int(rng.integers(len(self.good)))]
            image, around = self._cut_good(plate, view.scale, rng)
            mask, number, guide = np.zeros_like(mask), len(self.labels), np.zeros_like(guide)
        image, mask, asked, guide = self._vary(image, mask, asked, guide, rng)
        return image, mask, loosen(asked, rng), number, guide, float(np.log2(view.scale)), around

    def _cut(self, view: View, rng: np.random.Generator) -> tuple[Plate, NDArray[np.bool_]]:
        side = self.settings.side
        jitter = rng.integers(-side // 4, side // 4 + 1, 2)
        centre = view.centres_yx[int(rng.integers(len(view.centres_yx)))] + jitter
        image, mask = pad_to(view.pixels, side), pad_to(view.mask, side)
        top, left = (int(np.clip(centre[axis] - side // 2, 0, image.shape[axis] - side)) for axis in (0, 1))
        return image[top : top + side, left : left + side], mask[top : top + side, left : left + side]

    def _cut_good(self, plate: Plate, scale: float, rng: np.random.Generator) -> tuple[Plate, Plate]:
        side = self.settings.side
        wanted = round(side * scale)
        height, width = min(wanted, plate.shape[0]), min(wanted, plate.shape[1])
        top = int(rng.integers(plate.shape[0] - height + 1))
        left = int(rng.integers(plate.shape[1] - width + 1))
        piece = plate[top : top + height, left : left + width]
        if scale > 1:
            piece = shrink(piece, scaled_hw((height, width), scale))
        around = piece.mean((0, 1))
        return pad_to(piece - around, side)[:side, :side], around

    def _vary(
        self,
        image: Plate,
        mask: NDArray[np.bool_],
        asked: NDArray[np.bool_],
        guide: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> tuple[Plate, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32]]:
        image = (image * (1 + self.settings.gain * rng.uniform(-1, 1))).astype(np.float32)
        view = draw_view(self.settings.symmetry, rng)
        signs = np.ones(len(GUIDE), np.float32)
        signs[_SIN2], signs[_COS2] = view.down * view.across, -1 if view.swapped else 1
        image, mask, asked = (view.of(each) for each in (image, mask, asked))
        return image, mask, asked, guide * signs


def pad_to(array: NDArray[np.generic], side: int) -> NDArray:  # type: ignore[type-arg]
    """Mirror an HW(C) array at its lower and right edge until it is at least `side` on both axes."""
    missing = [max(0, side - array.shape[axis]) for axis in (0, 1)]
    if not any(missing):
        return array
    return np.pad(array, [(0, missing[0]), (0, missing[1])] + [(0, 0)] * (array.ndim - 2), mode="symmetric")


def loosen(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask as somebody might ask for it: its edge moved by low-frequency noise, up to about 2 px.

    The network learns to draw the true mask within; what it is asked for need not fit a defect exactly.
    """
    if not mask.any():
        return mask
    sigma = rng.uniform(0.5, 1.5)
    coarse = rng.normal(size=(max(2, mask.shape[0] // 8), max(2, mask.shape[1] // 8)))
    noise = zoom(coarse, (mask.shape[0] / coarse.shape[0], mask.shape[1] / coarse.shape[1]), order=1)
    soft = gaussian_filter(mask.astype(np.float32), sigma) + 0.12 * noise
    moved = (soft > rng.uniform(0.15, 0.45)) & (gaussian_filter(mask.astype(np.float32), 2.0) > 0.01)
    return moved if moved.any() else mask


def load_crops(catalog: Catalog, settings: CropSettings, seed: int) -> tuple[CropBank, int]:
    """Read the training images once and cut them to what the network learns from. Returns the bank and its channels."""
    rng = stream(seed, "good images")
    good = [entry for entry in catalog if entry.label == GOOD]
    chosen = rng.permutation(len(good))[: settings.good_images]
    defects: dict[str, list[list[View]]] = {}
    samples = [load_sample(entry) for entry in catalog if entry.label != GOOD]
    goods = [load_sample(good[number]) for number in sorted(chosen)]
    channels = 3 if any(sample.image.shape[2] == 3 for sample in [*samples, *goods]) else 1
    for sample in samples:
        for label, views in defect_views(sample, channels, settings).items():
            defects.setdefault(label, []).extend(views)
    if not defects:
        raise TrainingError(
            f"{catalog.name}: {len(samples)} defect images but no defect masks in the training part; "
            "this generator learns from masks: add them, or choose another generator"
        )
    plates: list[Plate] = [plate_of(sample.image, channels) for sample in goods]
    return CropBank(defects, plates, settings), channels
