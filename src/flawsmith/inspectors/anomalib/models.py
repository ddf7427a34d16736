"""anomalib's models, built from a shape in JSON. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from anomalib.models import AnomalibModule, Padim, Patchcore, Supersimplenet

from flawsmith.core.errors import SettingsError
from flawsmith.inspectors.anomalib.settings import DetectorSettings, PatchcoreSettings, SupersimplenetSettings
from flawsmith.inspectors.timm_nets import begin_with, said_of, timm_net

Shape = Mapping[str, Any]
"""What a model is built from: model (its name here), backbone, layers, size, options (its own arguments)."""

_KINDS: dict[str, Callable[..., AnomalibModule]] = {
    "supersimplenet": Supersimplenet,
    "patchcore": Patchcore,
    "padim": Padim,
}
_LEAST_SIDE = 17
"""SuperSimpleNet's noise has up to 32 waves, on the power of two above the side of its features."""


def shape_of(name: str, settings: DetectorSettings) -> dict[str, Any]:
    """Return the shape that settings ask for."""
    options: dict[str, Any]
    if isinstance(settings, SupersimplenetSettings):
        options = {"supervised": True, "perlin_threshold": settings.perlin_threshold}
    elif isinstance(settings, PatchcoreSettings):
        options = {"coreset_sampling_ratio": settings.coreset, "num_neighbors": settings.neighbours}
    else:
        options = {"n_features": settings.features}
    common = {"backbone": settings.backbone, "layers": list(settings.layers), "size": settings.size}
    return {"model": name, **common, "options": options}


def build(shape: Shape, weights: Path | None = None) -> AnomalibModule:
    """Return an untrained model over a backbone with these weights, or drawn from torch's global stream.

    anomalib would download weights for a backbone given by name (SuperSimpleNet has no way to say no): it is given the
    network itself. Raises SettingsError where backbone, layers or options do not fit together.
    """
    backbone = timm_net(shape["backbone"])
    if weights is not None:
        begin_with(backbone, weights)
    kind, size = _KINDS[shape["model"]], shape["size"]
    ready = kind.configure_pre_processor((size, size))  # type: ignore[attr-defined]
    parts = {"pre_processor": ready, "post_processor": False, "evaluator": False, "visualizer": False}
    try:
        return kind(backbone=backbone, layers=list(shape["layers"]), **shape["options"], **parts)
    except ValueError as error:
        tops = ", ".join(name for name, _ in backbone.named_children())
        raise SettingsError(
            f"anomalib's {shape['model']} cannot be built over {shape['backbone']!r} ({error}): expected layers of it, "
            f"which has {tops}"
        ) from None


def begun_with(settings: DetectorSettings) -> str:
    """Return in words what the backbone is."""
    if isinstance(settings.weights, Path):
        return said_of(settings.backbone, settings.weights)
    return f"{settings.backbone} with random weights: what it sees means little"


def weights_of(settings: DetectorSettings) -> Path | None:
    """Return the file of the backbone's weights; None where they shall be random."""
    return settings.weights if isinstance(settings.weights, Path) else None


def check_size(model: AnomalibModule, shape: Shape) -> None:
    """Raise SettingsError where pictures are too small for the noise by which SuperSimpleNet makes anomalies."""
    size = shape["size"]
    with torch.inference_mode():
        side = model.model.feature_extractor(torch.zeros(1, 3, size, size)).shape[-1]
    if side < _LEAST_SIDE:
        least = -(-size * _LEAST_SIDE // side)
        raise SettingsError(
            f"size {size} gives features of {side} x {side} at {shape['layers'][0]!r} of {shape['backbone']!r}, "
            f"expected at least {_LEAST_SIDE} x {_LEAST_SIDE}: choose a size of {least} or more"
        )
