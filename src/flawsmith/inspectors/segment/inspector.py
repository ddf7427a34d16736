"""The trained network at work: whole images in at native resolution, scores out, memory bounded by tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from flawsmith.core.geometry import Window
from flawsmith.core.records import Findings, Image
from flawsmith.inspectors.segment.net import SegmentNet, defect_scores, image_score, pool_side
from flawsmith.training.device import autocast_for, pick_device
from flawsmith.training.feed import to_tensor
from flawsmith.training.weights import load_weights, save_net

WEIGHTS = "inspector.safetensors"
TILE = 1024
"""Images larger than this are looked at in tiles of this side."""
MARGIN = 8
"""What is looked at around a tile, in units of the network's multiple: more than it can see, so no seam shows."""


class Segmenter:
    """Judges images with a trained `SegmentNet`; `shape` is what the network was built from, to build it again."""

    tile = TILE

    def __init__(self, net: SegmentNet, shape: dict[str, int], pool: int | Literal["auto"] = "auto") -> None:
        self.net = net
        self.shape = shape
        self.pool = pool

    def inspect(self, images: Sequence[Image]) -> Findings:
        """Return the score map of each HWC image (H, W, in [0, 1]) and its image score, the largest windowed mean."""
        self.net.eval()
        maps = [self._score(image) for image in images]
        return Findings(np.array([self._image_score(each) for each in maps], np.float32), maps)

    def save(self, folder: Path) -> None:
        """Write the inspector into `folder`: one safetensors file with its shape inside."""
        save_net(folder / WEIGHTS, self.net, {"kind": "segment", "shape": self.shape, "pool": self.pool})

    @classmethod
    def load(cls, folder: Path) -> Segmenter:
        """Open what `save` wrote. Raises StageError where there is nothing."""
        weights, card = load_weights(folder / WEIGHTS)
        net = SegmentNet(**card["shape"])
        net.load_state_dict(weights)
        net.to(device=pick_device("auto"), memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(net, card["shape"], card["pool"])

    def _image_score(self, scores: NDArray[np.float32]) -> float:
        side = pool_side((scores.shape[0], scores.shape[1])) if self.pool == "auto" else self.pool
        return float(image_score(torch.from_numpy(scores)[None], side))

    def _score(self, image: Image) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        margin = MARGIN * self.net.multiple
        if max(height, width) <= self.tile + 2 * margin:
            return self._look(image)
        scores = np.empty((height, width), np.float32)
        for core, seen in tiles((height, width), self.tile, margin):
            inside = Window(core.top - seen.top, core.left - seen.left, core.bottom - seen.top, core.right - seen.left)
            core.cut(scores)[...] = inside.cut(self._look(seen.cut(image)))
        return scores

    @torch.inference_mode()
    def _look(self, image: Image) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        multiple = self.net.multiple
        padded = np.pad(image, [(0, -height % multiple), (0, -width % multiple), (0, 0)], mode="symmetric")
        device = next(self.net.parameters()).device
        x = to_tensor([padded], self.shape["channels"]).to(device)
        with autocast_for(device, "auto"):
            scores = defect_scores(self.net(x))
        found: NDArray[np.float32] = scores[0, :height, :width].cpu().numpy()
        return found


def tiles(size_hw: tuple[int, int], tile: int, margin: int) -> Iterator[tuple[Window, Window]]:
    """Yield (core, seen) windows: the cores part the image without overlap, each seen with `margin` pixels around."""
    height, width = size_hw
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            core = Window(top, left, min(top + tile, height), min(left + tile, width))
            seen = Window(
                max(core.top - margin, 0),
                max(core.left - margin, 0),
                min(core.bottom + margin, height),
                min(core.right + margin, width),
            )
            yield core, seen
