"""The whole comparison of a run's synthetic defects with its real ones, class by class, written as quality.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import GOOD, Catalog
from flawsmith.core.rng import derive_seed, stream
from flawsmith.features.crops import Crop, Spot, defect_crops, good_crops
from flawsmith.features.extractor import Extractor, Look, Values
from flawsmith.features.opening import open_features
from flawsmith.proof.quality.background import against_backgrounds
from flawsmith.proof.quality.numbers import cautions, picture_numbers, score, set_numbers
from flawsmith.proof.quality.pick import spread
from flawsmith.proof.quality.plane import check_method, drawn
from flawsmith.proof.quality.settings import QualitySettings

QUALITY, MAP, NET = "quality.json", "map.json", "net"
DIGITS = 6
SEEN_IN_TRAINING = (
    "the network was trained on the real crops of the training part: they lie closer together for it than crops it has "
    "never seen; the yardstick real_unseen is not subject to that"
)


@dataclass(frozen=True)
class Material:
    """What is compared: real training and validation images, synthetic ones, and the id of each one's background.

    Pixels further than `gap_px` from a mask must be the background's. Images made whole have no background.
    """

    train: Catalog
    val: Catalog
    made: Catalog
    background_of: Mapping[str, str]
    gap_px: int


@dataclass(frozen=True)
class Seen:
    """The crops of one class and origin ("real", "synthetic", "unseen", "good"): groups (N,), features and logits."""

    origin: str
    label: str
    groups: Sequence[str]
    features: Values
    logits: Values | None


def assess(
    material: Material, settings: QualitySettings, folder: Path, *, progress: Progress = silent
) -> dict[str, Any]:
    """Compare synthetic with real defects and write `quality.json` and `map.json` into `folder`; return the first.

    Only training and validation images are read; the network, where one is trained, sees the training part alone.
    Raises DataError, StageError or SettingsError where the network or the map cannot be had.
    """
    check_method(settings.map)
    background = against_backgrounds(
        material.made, material.train, material.background_of, material.gap_px, settings.most
    )
    found: dict[str, Any] = {"net": None, "crops": _crops(settings), "background": background}
    extractor = open_features(material.train, settings, folder / NET, progress=progress)
    if extractor is not None:
        found |= _compared(material, settings, extractor, folder, progress)
    found = plain(found)
    write_json(folder / QUALITY, found)
    return found


def _crops(settings: QualitySettings) -> dict[str, Any]:
    return {"margin": settings.margin, "least_px": settings.least_px, "most": settings.most}


def _compared(
    material: Material, settings: QualitySettings, extractor: Extractor, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Look at every crop, class by class (feature maps are large), then at all of them together."""
    parts = {"real": material.train, "synthetic": material.made, "unseen": material.val}
    crops = {origin: defect_crops(part, settings.margin, settings.least_px) for origin, part in parts.items()}
    if not crops["real"]:
        raise DataError("no mask of a defect in the training part to compare with: give masks, or set quality.net=none")
    labels = sorted({crop.label for found in crops.values() for crop, _ in found})
    seen: list[Seen] = []
    rows = {}
    for number, label in enumerate(labels):
        progress("quality", number, len(labels), label)
        looks = {origin: _looked(extractor, found, label, settings.most) for origin, found in crops.items()}
        mine = [_light(origin, label, *look) for origin, look in looks.items() if look is not None]
        rows[label] = _numbers(mine) | _lpips(looks["real"], looks["synthetic"], extractor)
        seen += mine
    good = _good(material.train, [spot for _, spot in crops["real"]], settings)
    if good:
        seen.append(_light("good", GOOD, good, extractor.look([crop.image for crop in good])))
    _draw(seen, settings, extractor, folder)
    identity = extractor.identity
    notes = [SEEN_IN_TRAINING] if identity["name"] == "in_domain" else []
    overall = _numbers(seen) | _scores(seen) | {"pictures": None}
    return {"net": identity, "classes": rows, "all": overall, "cautions": notes}


def _looked(
    extractor: Extractor, found: Sequence[tuple[Crop, Spot]], label: str, most: int
) -> tuple[list[Crop], Look] | None:
    mine = spread([crop for crop, _ in found if crop.label == label], most)
    return (mine, extractor.look([crop.image for crop in mine])) if mine else None


def _light(origin: str, label: str, crops: Sequence[Crop], look: Look) -> Seen:
    return Seen(origin, label, [crop.group for crop in crops], look.features, look.logits)


def _numbers(seen: Sequence[Seen]) -> dict[str, Any]:
    """Return counts, set distances and cautions of the crops given, of one class or of all."""
    real, made, unseen = (_joined(seen, origin) for origin in ("real", "synthetic", "unseen"))
    groups = [group for each in seen if each.origin == "real" for group in each.groups]
    counts = {"real": len(real), "groups": len(set(groups)), "synthetic": len(made), "unseen": len(unseen)}
    words = cautions(len(real), len(made), counts["groups"], max(real.shape[1], made.shape[1]))
    return {"counts": counts, "sets": set_numbers(real, groups, made, unseen), "cautions": words}


def _joined(seen: Sequence[Seen], origin: str) -> Values:
    """Return the features (N, D) of one origin, (0, D) where there are none."""
    mine = [each.features for each in seen if each.origin == origin]
    return np.concatenate(mine) if mine else np.zeros((0, seen[0].features.shape[1]), np.float32)


def _lpips(
    real: tuple[list[Crop], Look] | None, made: tuple[list[Crop], Look] | None, extractor: Extractor
) -> dict[str, Any]:
    if real is None or made is None:
        return {"pictures": None}
    groups = [crop.group for crop in real[0]]
    return {"pictures": picture_numbers(real[1], groups, made[1], extractor.lpips_weights)}


def _scores(seen: Sequence[Seen]) -> dict[str, Any]:
    """Return the Inception scores of synthetic and of real defects of all classes together."""
    found = {}
    for origin in ("synthetic", "real"):
        logits = [each.logits for each in seen if each.origin == origin and each.logits is not None]
        found[origin] = score(np.concatenate(logits)) if logits else None
    return {"inception_score": found}


def _good(train: Catalog, spots: Sequence[Spot], settings: QualitySettings) -> list[Crop]:
    goods = list(train.labelled(GOOD))
    if not goods or not spots:
        return []
    return good_crops(goods, spots, settings.most, stream(settings.seed, "quality", "good"))


def _draw(seen: Sequence[Seen], settings: QualitySettings, extractor: Extractor, folder: Path) -> None:
    shown = [each for each in seen if each.origin != "unseen"]
    origins = [(each.origin, each.label) for each in shown for _ in each.groups]
    features = np.concatenate([each.features for each in shown])
    plane = drawn(origins, features, settings.map, derive_seed(settings.seed, "map"))
    if plane is not None:
        write_json(folder / MAP, plane | {"net": extractor.identity})


def plain(data: Any) -> Any:
    """Return plain JSON data: numbers with six digits, None for what is not finite."""
    if isinstance(data, Mapping):
        return {name: plain(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value) for value in data]
    if isinstance(data, float):
        return float(f"{data:.{DIGITS}g}") if math.isfinite(data) else None
    return data
