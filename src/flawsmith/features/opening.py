"""The feature network that the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flawsmith.core.errors import SettingsError
from flawsmith.core.files import sha256_file
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import read_image
from flawsmith.features.crops import Tones, tones_of
from flawsmith.features.extractor import Extractor
from flawsmith.features.in_domain import fit_in_domain, open_in_domain
from flawsmith.features.settings import FeatureSettings
from flawsmith.nets.features import inception
from flawsmith.nets.features.known import open_inception, open_lpips_weights, open_vgg
from flawsmith.training.device import pick_device

VGG_SIDE = 64
"""Side of the patches on which LPIPS was learnt (Zhang et al. 2018, section 3)."""
TONES_FROM = 50
"""Pictures whose tones stand for all."""


def open_features(
    train_part: Catalog, settings: FeatureSettings, folder: Path, *, progress: Progress = silent
) -> Extractor | None:
    """Return the extractor, None for `net="none"`; one that must be trained is, from the training part, into `folder`.

    Raises DataError or StageError where a file of weights is missing or does not fit.
    """
    if settings.net == "none":
        return None
    if settings.net == "in_domain":
        if settings.weights is not None:
            return open_in_domain(settings.weights)
        return fit_in_domain(train_part, settings, folder, progress=progress)
    if settings.weights is None:
        raise SettingsError(f"net {settings.net!r} needs a file of its weights: set quality.weights")
    tones = tones_of([read_image(entry.image) for entry in train_part.entries[:TONES_FROM]])
    if settings.net == "inception":
        return inception_extractor(settings.weights, tones)
    return vgg_extractor(settings.weights, settings.lpips_weights, tones)


def inception_extractor(weights: Path, tones: Tones | None = None) -> Extractor:
    """Return Inception v3 on pictures of 299 pixels."""
    net = open_inception(weights).to(pick_device("auto"))
    identity = _identity("inception_v3", weights, inception.SIDE, tones, None)
    return Extractor(net, identity, inception.SIDE, tones=tones)


def vgg_extractor(weights: Path, lpips_weights: Path | None = None, tones: Tones | None = None) -> Extractor:
    """Return VGG-16 on pictures of 64 pixels, with LPIPS's linear weights where given."""
    identity = _identity("vgg16", weights, VGG_SIDE, tones, lpips_weights)
    linear = None if lpips_weights is None else tuple(each.numpy() for each in open_lpips_weights(lpips_weights))
    net = open_vgg(weights).to(pick_device("auto"))
    return Extractor(net, identity, VGG_SIDE, tones=tones, lpips_weights=linear)


def _identity(name: str, weights: Path, side: int, tones: Tones | None, linear: Path | None) -> dict[str, Any]:
    hashes = {"weights_sha256": sha256_file(weights), "lpips_weights_sha256": linear and sha256_file(linear)}
    return {"name": name, "side": side, "tones": tones and [tones.low, tones.high], **hashes}
