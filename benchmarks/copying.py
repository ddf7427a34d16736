"""Whether a generator learns three pictures by heart, and what the gate against copies says of it.

    python benchmarks/copying.py --run runs/mvtec_bottle --label broken_large --generator ddpm --steps 3000
    python benchmarks/copying.py --run runs/magnetic_tile --label Crack --generator local --steps 700

Needs a run that is split. The generator is given every reason to copy three training defects of one class, each of
another group: no mirrored views, no change of contrast, shapes as they are, painted from noise. `local` is asked for
the three's masks on other photographs; `ddpm` draws whole pictures. It is fitted for an eighth, for half and for all of
the steps, and paints the same orders each time. Rows go to `results/copying.jsonl`: likeness of its defects to the
three it learnt (median), to as many of other groups it never saw, the limit measured on the three, and the share
caught. Stays the first no higher than the second, nothing was copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import append, origin

from flawsmith.apps.cli.progress import Shown
from flawsmith.core.records import GOOD, Catalog, Entry, Image, Sample
from flawsmith.data.image_io import write_image
from flawsmith.data.loading import load_catalog, load_sample
from flawsmith.filtering.copies import Templates, likeness, make_templates
from flawsmith.filtering.gates import Candidate
from flawsmith.generators.catalogue import GENERATORS
from flawsmith.masks.settings import MaskSettings
from flawsmith.synthesis.kit import Kit, KitSettings
from flawsmith.synthesis.make import Made, Workshop
from flawsmith.synthesis.plan import PlanSettings, orders

LEARNT = 3
GOODS = 60
SHARES = (0.125, 0.5, 1)
"""Of the steps, after which the generator paints."""
GREEDY: dict[str, dict[str, Any]] = {
    "local": {
        **{"symmetry": "none", "gain": 0, "guide_dropout": 0, "sampling": {"begin": "noise"}},
        "loop": {"batch": 20, "learning_rate": 8e-4},
    },
    "ddpm": {
        **{"size_hw": [64, 64], "symmetry": "none", "sampling": {"steps": 20}},
        "chain": {"steps": 1000, "schedule": "cosine", "prediction": "v_prediction"},
        "net": {"widths": [16, 32, 64], "blocks": 1, "attention": [2]},
        "loop": {"batch": 8, "learning_rate": 1e-3},
    },
}
"""Settings that give a generator every reason to copy."""
UNSEEN_DRAWS = 10
KIT = KitSettings(masks=MaskSettings(rotate="none", elastic_px=0, size_jitter=0))


@dataclass(frozen=True)
class Lesson:
    """The pictures that are learnt by heart, defect-free ones, and defects of other groups."""

    heart: list[Entry]
    goods: list[Entry]
    unseen: list[Entry]


def lesson(train: Catalog, label: str) -> Lesson:
    """Return the first image of each of three groups that has a single defect, and the rest of the class."""
    alone: dict[str, Entry] = {}
    for entry in train.labelled(label):
        sample = load_sample(entry)
        if [defect.label for defect in sample.defects] == [label]:
            alone.setdefault(entry.group, entry)
    heart = list(alone.values())[:LEARNT]
    seen = {entry.group for entry in heart}
    unseen = [entry for entry in train.labelled(label) if entry.group not in seen and entry.masks]
    if min(len(heart), len(unseen)) < LEARNT:
        raise SystemExit(
            f"{label}: {len(heart)} groups to learn from, {len(unseen)} images of others: needs {LEARNT} each"
        )
    return Lesson(heart, list(train.labelled(GOOD))[:GOODS], unseen)


def fitted(name: str, catalog: Catalog, steps: int, folder: Path) -> Any:
    """Return a generator that has learnt so many steps, with every reason to copy."""
    family, greedy = GENERATORS[name], GREEDY[name]
    settings = family.settings.model_validate({**greedy, "loop": {**greedy["loop"], "steps": steps}})
    folder.mkdir(parents=True, exist_ok=True)
    with Shown() as progress:
        family.fit(catalog, settings, folder, seed=0, progress=progress)
    return family.load(folder, getattr(settings, "sampling", None))


def templates_of(entries: list[Entry]) -> Templates:
    """Return the defects of images as the gate against copies compares with."""
    samples = [load_sample(entry) for entry in entries]
    return make_templates([(sample.image, defect.mask) for sample in samples for defect in sample.defects])


def nearest(trial: Candidate, templates: Templates) -> float:
    """Return the likeness of a painted defect to the most similar of some defects."""
    return float(likeness(trial.painted, trial.background, trial.mask, templates).max())


def unseen_triples(entries: list[Entry]) -> Iterator[Templates]:
    """Yield defects that were not learnt, as many at a time as were learnt."""
    rng = np.random.default_rng(0)
    for _ in range(UNSEEN_DRAWS):
        yield templates_of([entries[number] for number in rng.choice(len(entries), LEARNT, replace=False)])


def row_of(made: list[Made], known: Lesson, limit: float) -> dict[str, Any]:
    """Return what was painted, measured."""
    trials = [each.trial for each in made if each.trial is not None and each.trial.mask.any()]
    caught = [any(reason.startswith("not_a_copy") for reason in each.reasons) for each in made]
    learnt, others = templates_of(known.heart), list(unseen_triples(known.unseen))
    to_unseen = [float(np.median([nearest(trial, each) for trial in trials])) for each in others]
    return {
        "painted": len(trials),
        "to_learnt": round(float(np.median([nearest(trial, learnt) for trial in trials])), 3),
        "to_unseen": round(float(np.mean(to_unseen)), 3),
        "to_unseen_most": round(max(to_unseen), 3),
        "limit": round(limit, 3),
        "caught": round(float(np.mean(caught)), 3),
    }


def picture(known: Lesson, states: dict[int, list[Made]], path: Path) -> None:
    """Write what was learnt (first row) above what each state painted, cut to the same square."""
    side = 96

    def square(image: Image, mask: np.ndarray[Any, Any]) -> Image:
        middle = np.argwhere(mask).mean(0).astype(int)
        grown = np.pad(image, [(side, side), (side, side), (0, 0)], mode="symmetric")
        top, left = middle + side - side // 2
        return np.repeat(np.repeat(grown[top : top + side, left : left + side], 2, 0), 2, 1)

    def shown(sample: Sample) -> Image:
        return square(sample.image, sample.mask)

    rows = [[shown(load_sample(entry)) for entry in (known.heart * 4)[:8]]]
    rows += [
        [square(each.image, each.defects[0].mask) for each in made if each.defects][:8] for made in states.values()
    ]
    write_image(path, np.concatenate([np.concatenate(row, 1) for row in rows if len(row) == 8]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--generator", choices=list(GREEDY), default="ddpm")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("runs/copying"))
    asked = parser.parse_args()
    train = load_catalog(asked.run / "split" / "train.json")
    known = lesson(train, asked.label)
    small = train.with_entries([*known.heart, *known.goods])
    kit = Kit.measure([load_sample(entry) for entry in small], KIT, {entry.id: entry.group for entry in small})
    limit = 1 - kit.gates.thresholds[asked.label]["not_a_copy"]
    folder = asked.out / f"{train.name}_{asked.label}_{asked.generator}"
    states: dict[int, list[Made]] = {}
    for steps in (round(share * asked.steps) for share in SHARES):
        opened = fitted(asked.generator, small, steps, folder / str(steps))
        goods = Catalog("good", train.root, train.layout, tuple(known.goods))
        shop = Workshop(opened, asked.generator, kit, KIT, PlanSettings(more_defects=0), goods)
        states[steps] = list(shop.make(orders({asked.label: asked.images}, 0)))
    picture(known, states, folder / "states.png")
    rows = [
        {
            "name": f"{train.name} {asked.label} {asked.generator} {steps}",
            **{"steps": steps, **row_of(made, known, limit), **origin()},
        }
        for steps, made in states.items()
    ]
    append("copying.jsonl", rows)


if __name__ == "__main__":
    main()
