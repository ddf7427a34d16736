"""Teaching the two networks, one after the other; what is done already is not done again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from flawsmith.core.files import sha256_file, write_json
from flawsmith.core.protocols import Progress
from flawsmith.core.records import Catalog
from flawsmith.core.rng import derive_seed
from flawsmith.diffusion.betas import betas
from flawsmith.diffusion.chain import Chain
from flawsmith.generators.deck import Deck
from flawsmith.generators.gallery import Gallery, gather
from flawsmith.generators.latent.captions import Captions, located_captions, plain_captions, written_captions
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.learner import LatentBank, LatentLearner, VqVaeLearner, vectors_of
from flawsmith.generators.latent.looks import LOOKS, Looks, chosen_of, eyes_of
from flawsmith.generators.latent.naming import clip_vectors
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.settings import AutoencoderSettings, LatentChainSettings, LatentSettings
from flawsmith.nets.vqvae import VqVae, VqVaeSettings
from flawsmith.training.device import pick_device
from flawsmith.training.loop import TrainLog, train
from flawsmith.training.settings import LoopSettings
from flawsmith.training.weights import load_weights, save_net

VQVAE, VQVAE_LOSSES, PROGRESS, KEPT = (
    "vqvae.safetensors", "vqvae_losses.json", "progress.json", "checkpoints",
)  # fmt: skip
LEARNING = ".learning"


@dataclass(frozen=True)
class Lesson:
    """The training pictures: those that are drawn from, what each is told, and what drawn ones are compared with."""

    deck: Deck
    captions: Captions
    gallery: Gallery

    @classmethod
    def prepared(cls, catalog: Catalog, settings: LatentSettings, seed: int) -> Lesson:
        """Read pictures and captions. Raises TrainingError where there are no defects, or no good images to compare."""
        goods, defects = gather(catalog, settings.size_hw, settings.good_images, seed)
        gallery = Gallery.measure(goods, defects)
        ids = {each.id for each in (*goods, *defects)}
        shown = catalog.with_entries(entry for entry in catalog if entry.id in ids)
        captions = _captions(shown, catalog, settings)
        return cls(Deck([*goods, *defects], settings.good_share, settings.symmetry), captions, gallery)

    @property
    def condition(self) -> Condition:
        """What each picture of the deck is told."""
        told = [self.captions.by_id[each.id] for each in self.deck.pictures]
        return Condition.of(told, self.captions.names, self.captions.plane)

    def epoch_steps(self, batch: int) -> int:
        """How many steps of so many pictures show as many as there are of defects."""
        return -(-len(self.gallery.defects) // batch)


def _captions(shown: Catalog, whole: Catalog, settings: LatentSettings) -> Captions:
    if settings.captions is not None:
        return written_captions(shown, settings.captions)
    return located_captions(shown, whole) if settings.locate else plain_captions(shown)


def chain_of(settings: LatentChainSettings) -> Chain:
    """Return the chain that the settings describe; latents have no bounds."""
    steps = betas(settings.schedule, settings.steps, settings.beta_first, settings.beta_last)
    return Chain.of_betas(steps, settings.prediction, clip=None)


def fit_vqvae(lesson: Lesson, settings: AutoencoderSettings, folder: Path, seed: int, progress: Progress) -> VqVae:
    """Teach the VQ-VAE all pictures of the deck and write it, unless it has been; return it as it was written."""
    if not (folder / VQVAE).is_file():
        channels = lesson.deck.channels
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "vqvae", "net"))
            net = VqVae(channels, settings.net)
        loop = _in_epochs(settings.loop, settings.epochs, lesson)
        log = train(
            net, VqVaeLearner(net, settings.commitment), lesson.deck.pictures_batch, loop, folder / LEARNING,
            seed=derive_seed(seed, "vqvae"), progress=progress, task="fit autoencoder",
        )  # fmt: skip
        write_json(folder / VQVAE_LOSSES, log.losses)
        save_net(folder / VQVAE, net, {"channels": channels, "net": settings.net.model_dump(mode="json")})
    return open_vqvae(folder / VQVAE)


def open_vqvae(path: Path) -> VqVae:
    """Return a VQ-VAE that `fit_vqvae` wrote, on the CPU."""
    tensors, config = load_weights(path)
    net = VqVae(config["channels"], VqVaeSettings.model_validate(config["net"]))
    net.load_state_dict(tensors)
    return net.eval()


def fit_latent(
    lesson: Lesson, vqvae: VqVae, settings: LatentSettings, folder: Path, seed: int, progress: Progress
) -> tuple[LatentNet, TrainLog]:
    """Teach the denoiser the latents of all pictures of the deck, looking at it on the way."""
    vectors = vectors_of(lesson.deck, vqvae.to(pick_device(settings.loop.device)))
    net = fresh_net(lesson, settings, seed)
    net.centre.copy_(vectors.mean((0, 1, 3, 4)).reshape(net.centre.shape))
    net.spread.copy_(vectors.std((0, 1, 3, 4)).clamp(min=1e-3).reshape(net.spread.shape))
    bank = LatentBank(lesson.deck, (vectors - net.centre) / net.spread, lesson.condition)
    chain, loop = chain_of(settings.chain), _in_epochs(settings.loop, settings.epochs, lesson)
    looks = _looks(lesson, vqvae, chain, settings, loop, folder, seed)
    log = train(
        net, LatentLearner(net, chain, settings.dropout), bank.batch, loop, folder / LEARNING,
        seed=derive_seed(seed, "latent"), progress=progress, task="fit", after=lambda step, _: looks.after(step, net),
    )  # fmt: skip
    looks.look(log.steps, net)
    write_json(folder / PROGRESS, looks.conclude())
    if (folder / LEARNING).is_dir():
        (folder / LEARNING).rmdir()
    return net, log


def fresh_net(lesson: Lesson, settings: LatentSettings, seed: int) -> LatentNet:
    """Return an untaught denoiser of the latents."""
    names = lesson.captions.names
    vectors = None if settings.clip is None else clip_vectors(names, settings.clip)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "latent", "net"))
        return LatentNet(settings.autoencoder.net.channels, len(names), settings.chain.steps, settings.net, vectors)


def _looks(
    lesson: Lesson, vqvae: VqVae, chain: Chain, settings: LatentSettings, loop: LoopSettings, folder: Path, seed: int
) -> Looks:
    wished, steps = settings.checkpoints, lesson.epoch_steps(loop.batch)
    every = wished.every_epochs or max(1, round(loop.steps / steps / LOOKS))
    eyes = eyes_of(wished, vqvae, sha256_file(folder / VQVAE), settings.size_hw[0], lesson.deck.channels)
    chosen = chosen_of(lesson.gallery, wished.images, seed)
    return Looks(vqvae, chain, lesson.gallery, lesson.captions, chosen, eyes, wished, folder / KEPT, steps, every, seed)


def _in_epochs(loop: LoopSettings, epochs: int | None, lesson: Lesson) -> LoopSettings:
    """Return the loop's settings, their steps from the epochs where these are given."""
    return loop if epochs is None else loop.model_copy(update={"steps": epochs * lesson.epoch_steps(loop.batch)})
