"""Our metrics against torchmetrics' and anomalib's on the same arrays, in turn, in one run.

500 images of 256 x 256: rows `pixel_ap_ratio` (torchmetrics) and `pro_ratio` (anomalib, where installed), seconds of
ours over seconds of theirs, from score maps to the number. 500 images' features of 2048 numbers, as Inception gives
them: rows `fid_ratio` and `kid_ratio` (torchmetrics). Each row says both values; they must agree to 1e-4 (FID: of its
size).

    python benchmarks/speed_metrics.py
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from common import append, origin
from scipy.ndimage import gaussian_filter
from torchmetrics.classification import BinaryAveragePrecision
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from flawsmith.metrics.generation import fid, kid
from flawsmith.metrics.inspection import count_stream

IMAGES, SIDE, FEATURES, ROUNDS = 500, 256, 2048, 3


class AsTheyAre(torch.nn.Module):
    """A feature network that hands features through."""

    num_features = FEATURES

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features, flat."""
        return x.flatten(1)


def maps() -> tuple[np.ndarray, np.ndarray]:
    """Masks of one to three discs in every second image, and scores that find them more or less."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    masks = np.zeros((IMAGES, SIDE, SIDE), bool)
    scores = np.empty((IMAGES, SIDE, SIDE), np.float32)
    for number in range(IMAGES):
        for _ in range(int(rng.integers(1, 4)) if number % 2 else 0):
            y, x, radius = rng.integers(20, SIDE - 20), rng.integers(20, SIDE - 20), rng.integers(3, 15)
            masks[number] |= (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2) * 6
        scores[number] = 1 / (1 + np.exp(-(noise + 4 * gaussian_filter(masks[number].astype(float), 2) - 3)))
    return masks, scores


def feature_sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(64, FEATURES)) / 8
    return tuple(np.abs(rng.normal(shift, 1, (IMAGES, 64)) @ mixing) for shift in (0.0, 0.2))  # type: ignore[return-value]


def compared(name: str, ours: Callable[[], float], theirs: Callable[[], float], peer: str) -> dict[str, object]:
    """Time both in turn and return the row."""
    times, values = [], (0.0, 0.0)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        mine = ours()
        between = time.perf_counter()
        values = (mine, theirs())
        times.append((between - began, time.perf_counter() - between))
    return {
        "name": name,
        "value": round(statistics.median(a / b for a, b in times), 4),
        "unit": "seconds of ours / seconds of peer",
        "ours": round(statistics.median(a for a, _ in times), 3),
        "peer": round(statistics.median(b for _, b in times), 3),
        "note": f"{peer}; values {values[0]:.6f} and {values[1]:.6f}",
    }


def torchmetrics_of(metric: torch.nn.Module, real: np.ndarray, made: np.ndarray) -> torch.Tensor:
    metric.update(torch.from_numpy(real)[..., None, None], real=True)  # type: ignore[operator]
    metric.update(torch.from_numpy(made)[..., None, None], real=False)  # type: ignore[operator]
    return metric.compute()  # type: ignore[operator, no-any-return]


def rows() -> list[dict[str, object]]:
    masks, scores = maps()
    real, made = feature_sets()

    def their_ap() -> float:
        return float(BinaryAveragePrecision()(torch.from_numpy(scores).ravel(), torch.from_numpy(masks).ravel().int()))

    def their_fid() -> float:
        metric = FrechetInceptionDistance(AsTheyAre(), input_img_size=(FEATURES, 1, 1)).set_dtype(torch.float64)
        return float(torchmetrics_of(metric, real, made))

    def their_kid() -> float:
        metric = KernelInceptionDistance(AsTheyAre(), subsets=1, subset_size=IMAGES)
        return float(torchmetrics_of(metric, real, made)[0])

    def our_pixels() -> object:
        return count_stream(zip(masks, scores, strict=True))

    found = [
        compared("pixel_ap_ratio", lambda: our_pixels().average_precision, their_ap, "torchmetrics"),  # type: ignore[attr-defined]
        compared("fid_ratio", lambda: fid(real, made), their_fid, "torchmetrics"),
        compared("kid_ratio", lambda: kid(real, made, np.random.default_rng(0))[0], their_kid, "torchmetrics"),
    ]
    if find_spec("anomalib") is None:
        print("no row pro_ratio: anomalib is not installed (torchmetrics has no PRO); pip install anomalib for it")
    else:
        from anomalib.metrics.aupro import _AUPRO

        def their_pro() -> float:
            metric = _AUPRO(fpr_limit=0.3)
            metric.update(torch.from_numpy(scores), torch.from_numpy(masks).int())
            return float(metric.compute())

        found.append(compared("pro_ratio", lambda: our_pixels().pro(), their_pro, "anomalib"))  # type: ignore[attr-defined]
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    append("speed.jsonl", [{**row, **origin("torchmetrics", "scipy")} for row in rows()])


if __name__ == "__main__":
    main()
