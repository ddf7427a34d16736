"""What a run over a data set will take, foretold from runs that were measured, and which classes are small.

The rates are those of two runs on real photographs, benchmarks/results/magnetic_tile.json and mvtec_bottle.json, on a
machine with 2 cores and no GPU. Both are given, the quicker and the slower: between them lies what is not modelled, the
size of the defects above all. Other cores are taken to be as quick as those, and all of them to be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flawsmith.core.files import write_json
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import image_head
from flawsmith.data.loading import load_catalog
from flawsmith.data.parallel import cores
from flawsmith.recipes.check import CATALOG
from flawsmith.recipes.settings import RunSettings
from flawsmith.synthesis.plan import quotas

OUTLOOK = "outlook.json"
MACHINE, MACHINE_CORES = "AMD EPYC, 2 cores, no GPU", 2
_LOOKED = 50
"""Images, spread over the set, whose sizes are read."""


class Span(NamedTuple):
    """From the least to the most that something takes."""

    low: float
    high: float

    def times(self, count: float) -> Span:
        """Return it for so many."""
        return Span(self.low * count, self.high * count)


RATES_S = {
    "fit": Span(0.43, 0.70),
    "generate": Span(0.25, 1.14),
    "controls": Span(0.085, 0.28),
    "prove": Span(0.054, 0.088),
    "rest": Span(0.04, 0.24),
}
"""Seconds on that machine: per step of 20 crops of 64 x 64 pixels, per accepted image (both), per step of a training of
the default inspector, and per image of the data set for everything else. Fitting mvtec_bottle was measured at half the
resolution that crops have now: its rate is that times 1.7, which is what the full one costs."""
MAIN_MB, WORKER_MB, FIT_MB = 850.0, 600.0, 900.0
"""Memory of the process that conducts, of each training of the proof, and of fitting, as seen with mvtec_bottle; images
come on top."""
MB_PER_MEGAPIXEL = 18.0
"""What painting on an image takes per megapixel of it (`resolution_extra_mb` in benchmarks/results/speed.jsonl)."""


@dataclass(frozen=True)
class Outlook:
    """Seconds by stage (least, most; None where nothing was measured), and the memory in MB, on so many cores."""

    seconds: Mapping[str, Span] | None
    memory_mb: int | None
    cores: int
    images: int

    @property
    def sentence(self) -> str:
        """The forecast in words, and on what it rests."""
        if self.seconds is None or self.memory_mb is None:
            return "How long a run takes is not foretold: only the generator 'local' with 'unet_small' was measured."
        low, high = (sum(span[end] for span in self.seconds.values()) for end in (0, 1))
        return (
            f"A whole run takes about {duration(low)} to {duration(high)} and {self.memory_mb / 1000:.1f} GB of memory "
            f"on the {self.cores} cores here: reckoned from rates measured on {MACHINE}; yours may be half or twice as "
            "quick, and a GPU quicker still."
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "measured_on": MACHINE, "sentence": self.sentence}


def foretell(out: Path, settings: RunSettings) -> Outlook:
    """Return what a whole run over the data checked in the run folder `out` will take; it is stored there, too."""
    found = outlook(load_catalog(out / "check" / CATALOG), settings, cores())
    write_json(out / OUTLOOK, found.to_json())
    return found


def outlook(catalog: Catalog, settings: RunSettings, cores: int) -> Outlook:
    """Return what a whole run over a data set takes with these settings on so many cores."""
    if settings.generator != "local" or settings.proof.inspector != "unet_small":
        return Outlook(None, None, cores, len(catalog))
    work = _work(catalog, settings)
    share = MACHINE_CORES / cores
    seconds = {name: RATES_S[name].times(share * count) for name, count in work.items()}
    if not settings.proof.steps:
        low, high = seconds["prove"]
        seconds["prove"] = Span(low * settings.proof.min_steps / settings.proof.max_steps, high)
    return Outlook(seconds, _memory_mb(catalog, settings, cores), cores, len(catalog))


def _work(catalog: Catalog, settings: RunSettings) -> dict[str, float]:
    """Return how often each rate counts."""
    local, proof = settings.local, settings.proof
    made = settings.fits * sum(quotas(catalog, settings.generate.plan).values())
    arms = 2 + len(settings.controls) + len(settings.arms) + len(proof.fewer_groups)
    return {
        "fit": settings.fits * local.loop.steps * local.loop.batch / 20 * (local.side / 64) ** 2,
        "generate": made,
        "controls": made * len(settings.controls),
        "prove": arms * proof.seeds * (proof.steps or proof.max_steps),
        "rest": len(catalog),
    }


def _memory_mb(catalog: Catalog, settings: RunSettings, cores: int) -> int:
    pixels = _pixels([entry.image for entry in catalog])
    held = float(pixels.mean()) * 4 * len(catalog) * (1 - settings.split.test_share) / 2**20
    cache = float(settings.proof.inspector_options.get("cache_mb", 1500))
    workers = min(settings.proof.workers or cores, settings.proof.seeds * (2 + len(settings.controls)))
    painting = MB_PER_MEGAPIXEL * float(pixels.max()) / 1e6
    return int(max(FIT_MB + painting, MAIN_MB + workers * (WORKER_MB + min(held, cache))))


def _pixels(images: Sequence[Path]) -> np.ndarray[Any, np.dtype[np.float64]]:
    chosen = images[:: max(1, len(images) // _LOOKED)]
    return np.array([float(np.prod(image_head(path).size_hw)) for path in chosen])


def duration(seconds: float) -> str:
    """Return seconds in words, no more precise than a forecast is.

    >>> duration(50), duration(1400), duration(9000)
    ('1 min', '23 min', '2.5 h')
    """
    return f"{max(1, round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
