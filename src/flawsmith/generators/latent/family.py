"""Fit and open the latent diffusion generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flawsmith.core.errors import StageError
from flawsmith.core.files import read_json, sha256_file, sha256_tree, write_json
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.core.settings import Settings
from flawsmith.generators.gallery import Gallery
from flawsmith.generators.latent.captions import Captions
from flawsmith.generators.latent.fitting import KEPT, VQVAE, Lesson, chain_of, fit_latent, fit_vqvae, open_vqvae
from flawsmith.generators.latent.looks import WEIGHTS
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.painter import LatentPainter
from flawsmith.generators.latent.settings import LatentSamplingSettings, LatentSettings
from flawsmith.generators.registry import GENERATORS
from flawsmith.training.device import pick_device
from flawsmith.training.weights import load_weights, save_net

MODEL, GALLERY, NETWORK, LOSSES = "latent.json", "gallery.safetensors", "latent.safetensors", "losses.json"
NOT_LEARNT = ("captions", "clip", "checkpoints", "sampling")
"""Settings that the model does not keep: where files lay, how the training was looked at, and how to draw."""


class LatentFamily:
    """Whole images of a product's defects, by name and by place in its pattern."""

    settings: type[Settings] = LatentSettings

    def fit(
        self, catalog: Catalog, settings: LatentSettings, folder: Path, *, seed: int, progress: Progress = silent
    ) -> None:
        """Learn the autoencoder, then what its latents look like, and write both; goes on where it stopped.

        Raises TrainingError without defect images, DataError where captions, pattern or text model are not usable.
        """
        lesson = Lesson.prepared(catalog, settings, seed)
        vqvae = fit_vqvae(lesson, settings.autoencoder, folder, seed, progress)
        net, log = fit_latent(lesson, vqvae, settings, folder, seed, progress)
        save_net(folder / NETWORK, net, {})
        write_json(folder / LOSSES, log.losses)
        lesson.gallery.save(folder / GALLERY)
        model = {
            "captions": lesson.captions.to_json(),
            "settings": settings.model_dump(mode="json", exclude=set(NOT_LEARNT)),
            "files": sha256_tree(folder, skip=(MODEL,)),
        }
        write_json(folder / MODEL, model)

    def load(
        self, folder: Path, sampling: LatentSamplingSettings | None = None, *, device: str = "auto"
    ) -> LatentPainter:
        """Open what `fit` wrote. Raises StageError where files are missing or are others."""
        model, wished = _opened(folder), sampling or LatentSamplingSettings()
        settings = LatentSettings.model_validate(model["settings"])
        captions = Captions.from_json(model["captions"])
        net, where = _open_net(_weights(folder, wished.epoch), captions, settings), pick_device(device)
        reduction = settings.autoencoder.net.reduction
        return LatentPainter(
            net.to(where),
            open_vqvae(folder / VQVAE).to(where),
            chain_of(settings.chain),
            captions,
            Gallery.load(folder / GALLERY),
            (settings.size_hw[0] // reduction, settings.size_hw[1] // reduction),
            wished,
            sha256_file(folder / MODEL),
        )


def _opened(folder: Path) -> dict[str, Any]:
    """Return the model's description, after a look at all its files."""
    if not (folder / MODEL).is_file():
        raise StageError(f"{folder} holds no fitted 'latent' generator (no {MODEL}): fit it first")
    model: dict[str, Any] = read_json(folder / MODEL)
    for name, digest in model["files"].items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            raise StageError(f"{folder / name} is not what {MODEL} says was fitted: fit the generator again")
    return model


def _weights(folder: Path, epoch: int | None) -> Path:
    if epoch is None:
        return folder / NETWORK
    path = folder / KEPT / WEIGHTS.format(epoch)
    if not path.is_file():
        kept = [int(each.stem.split("_")[1]) for each in sorted((folder / KEPT).glob(WEIGHTS.replace("{:06d}", "*")))]
        raise StageError(
            f"latent.sampling.epoch: no weights of epoch {epoch} were kept, but of {kept or 'none'}; "
            "latent.checkpoints.keep_weights keeps those of every look"
        )
    return path


def _open_net(path: Path, captions: Captions, settings: LatentSettings) -> LatentNet:
    tensors, _ = load_weights(path)
    vectors = tensors.get("name.vectors")
    net = LatentNet(
        settings.autoencoder.net.channels,
        len(captions.names),
        settings.chain.steps,
        settings.net,
        None if vectors is None else vectors[:-1],
    )
    net.load_state_dict(tensors)
    return net.eval()


LATENT = LatentFamily()
GENERATORS.register("latent")(LATENT)
