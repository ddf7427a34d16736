"""The latent generator: what it learns, that it can be stopped, and where its captions lead."""

from pathlib import Path

import numpy as np
import pytest
import torch
from stopping import Stopped, stopping

from flawsmith.core.errors import SettingsError, StageError
from flawsmith.core.files import read_json, sha256_tree
from flawsmith.core.protocols import silent
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.core.symmetry import views
from flawsmith.data.coordinates import Caption, read_captions, write_captions
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.diffusion.betas import betas
from flawsmith.diffusion.chain import Chain
from flawsmith.diffusion.samplers import SAMPLERS
from flawsmith.generators.deck import Deck
from flawsmith.generators.gallery import Hung
from flawsmith.generators.latent.captions import Plane, Told
from flawsmith.generators.latent.condition import Condition
from flawsmith.generators.latent.drawing import draw_pictures
from flawsmith.generators.latent.family import LATENT
from flawsmith.generators.latent.learner import LatentLearner, VqVaeLearner
from flawsmith.generators.latent.net import LatentNet
from flawsmith.generators.latent.settings import LatentNetSettings, LatentSamplingSettings, LatentSettings
from flawsmith.nets.codebook import perplexity
from flawsmith.nets.vqvae import VqVae, VqVaeSettings
from flawsmith.training.loop import LoopSettings, train

LOOP = {"steps": 8, "batch": 5, "learning_rate": 1e-2, "device": "cpu", "checkpoint_seconds": 1000.0}
TINY = {
    "size_hw": (16, 16),
    "autoencoder": {"net": {"widths": (8, 8), "codes": 16}, "loop": LOOP},
    "net": {"widths": (8, 16), "blocks": 1, "embedding": 16},
    "chain": {"steps": 20},
    "loop": LOOP,
    "checkpoints": {"images": 2, "every_epochs": 1, "keep_weights": True},
}
FEW = LatentSamplingSettings(steps=3, batch=2)
PERIOD = (9.0, 7.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Catalog:
    tiny = {"size_hw": (32, 32), "good": 3, "per_class": 2, "most_shots": 1, "faint_share": 0.0}
    return write_demo(tmp_path_factory.mktemp("demo"), DemoSettings(**tiny))


@pytest.fixture(scope="module")
def captions(world, tmp_path_factory) -> Path:
    """Captions of all but one image, at places from 0 to (9, 7)."""
    folder, rng = tmp_path_factory.mktemp("captions"), np.random.default_rng(0)
    entries = [entry for entry in world if entry.id != world.labelled(GOOD).entries[0].id]
    write_captions(folder, {entry.id: Caption(*rng.uniform(0, PERIOD), entry.label) for entry in entries})
    return folder


def fit(world: Catalog, folder: Path, progress=silent, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    LATENT.fit(world, validated(LatentSettings, TINY | changes), folder, seed=1, progress=progress)
    return folder


@pytest.fixture(scope="module")
def placed(world, captions, tmp_path_factory) -> Path:
    return fit(world, tmp_path_factory.mktemp("placed"), captions=str(captions))


def patch(seed: int, label: str) -> Patch:
    return Patch(np.full((32, 32, 3), 128, np.uint8), np.zeros((32, 32), bool), label, seed)


def places(folder: Path, label: str, **sampling) -> list[tuple[float, float]]:
    """Where pictures of some seeds are, by the captions in their notes."""
    painter = LATENT.load(folder, LatentSamplingSettings(steps=1, batch=2, **sampling), device="cpu")
    notes = [painting.notes["caption"] for painting in painter.paint([patch(seed, label) for seed in range(12)])]
    assert {note.split(", ")[2] for note in notes} == {label}
    return [(float(note.split(", ")[0]), float(note.split(", ")[1])) for note in notes]


def test_places_are_seen_ones_near_them_or_anywhere(placed, world, captions):
    label = world.defect_labels[0]
    seen = {(round(c.x, 2), round(c.y, 2)) for c in read_captions(captions).values() if c.name == label}
    assert set(places(placed, label, place="seen")) <= seen
    moved = places(placed, label, place="jittered", jitter_px=0.01)
    assert all(min(np.abs(np.subtract(one, other)).max() for other in seen) < 0.1 for one in moved)
    assert places(placed, label, place="jittered", jitter_px=0.0) == places(placed, label, place="seen")
    anywhere = places(placed, label, place="random")
    assert len(set(anywhere)) == len(anywhere)
    assert np.max(anywhere, 0).max() > 3
    assert (np.array(anywhere) <= np.max([*[(c.x, c.y) for c in read_captions(captions).values()]], 0)).all()
    assert set(places(placed, label, place="seen", place_xy=(1.0, 2.0))) == {(1.0, 2.0)}


def test_a_place_is_refused_where_none_was_learnt(world, tmp_path):
    folder = fit(world, tmp_path / "model")
    assert set(places(folder, world.defect_labels[0])) == {(0.0, 0.0)}
    with pytest.raises(SettingsError, match="has learnt none"):
        LATENT.load(folder, LatentSamplingSettings(place_xy=(1.0, 2.0)))


def test_looks_are_written_every_epoch_and_their_weights_kept(placed, world):
    progress = read_json(placed / "progress.json")
    epoch = -(-sum(entry.label != GOOD for entry in world) // LOOP["batch"])
    assert [row["step"] for row in progress["looks"]] == sorted(
        {*range(epoch, LOOP["steps"] + 1, epoch), LOOP["steps"]}
    )
    for row in progress["looks"]:
        assert row["epoch"] == row["step"] / epoch
        assert row["images"] == 2
        assert -1 <= row["ssim_outside"] < 1
        assert row["lpips_outside"] > 0
    assert progress["seen_by"]["name"] == "vqvae_encoder"
    label = world.defect_labels[0]
    last = LATENT.load(placed, FEW, device="cpu").paint([patch(1, label)])[0]
    first = LATENT.load(placed, FEW.model_copy(update={"epoch": 1}), device="cpu").paint([patch(1, label)])[0]
    assert not np.array_equal(first.image, last.image)
    with pytest.raises(StageError, match=r"no weights of epoch 99 were kept, but of \[1"):
        LATENT.load(placed, FEW.model_copy(update={"epoch": 99}))


@pytest.mark.parametrize("stopped_at", [3, 11])
def test_a_fit_that_was_stopped_goes_on_and_ends_with_the_same_files(
    stopped_at, placed, world, captions, tmp_path, monkeypatch
):
    """Stopped in the autoencoder, and in the denoiser after the first look."""

    stop = stopping(monkeypatch, lambda task, done, calls: calls == stopped_at)
    with pytest.raises(Stopped):
        fit(world, tmp_path / "model", progress=stop, captions=str(captions))
    assert not (tmp_path / "model" / "latent.json").exists()
    assert list((tmp_path / "model").rglob("checkpoint.safetensors"))
    fit(world, tmp_path / "model", captions=str(captions))
    assert sha256_tree(tmp_path / "model") == sha256_tree(placed)


def test_files_of_another_fit_are_refused(placed, world, captions, tmp_path):
    other = fit(world, tmp_path / "model", captions=str(captions), dropout=0.5)
    (other / "vqvae.safetensors").write_bytes((placed / "vqvae.safetensors").read_bytes())
    (other / "latent.safetensors").write_bytes((placed / "latent.safetensors").read_bytes())
    with pytest.raises(StageError, match=r"latent\.safetensors is not what latent\.json says"):
        LATENT.load(other)
    with pytest.raises(StageError, match="holds no fitted"):
        LATENT.load(tmp_path)


def test_every_picture_is_its_seeds_alone_however_they_are_batched():
    torch.manual_seed(0)
    net = LatentNet(4, 2, 20, LatentNetSettings(widths=(8, 16), blocks=1, embedding=16))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vqvae = VqVae(1, VqVaeSettings(widths=(8, 8), codes=16)).eval()
    chain = Chain.of_betas(betas("linear", 20), clip=None)
    told = Condition.of([Told("a", (1, 2)), Told("b"), Told("a", (3, 1))], ("a", "b"), Plane.periodic((4, 4)))

    def drawn(rows: list[int], sampler: str) -> torch.Tensor:
        sampling = LatentSamplingSettings(sampler=sampler, steps=4, batch=2, guidance=2.0)
        seeds = [10 + row for row in rows]
        return draw_pictures(net.eval(), vqvae, chain, (8, 6), told[torch.tensor(rows)], seeds, sampling)

    for sampler in ("dpmpp_2m", "euler_ancestral"):
        together = drawn([0, 1, 2], sampler)
        assert together.shape == (3, 1, 16, 12)
        assert torch.equal(together, torch.cat([drawn([row], sampler) for row in range(3)]))
        assert torch.equal(together.flip(0), drawn([2, 1, 0], sampler))


def test_a_deck_is_dealt_evenly_and_every_view_is_seen():
    rng = np.random.default_rng(0)
    labels = [GOOD, GOOD, "a", "b", "b", "b", "b"]
    pictures = [Hung(str(n), label, rng.integers(0, 9, (8, 8, 1), np.uint16)) for n, label in enumerate(labels)]
    deck = Deck(pictures, 0.5, "square")
    drawn = [deck.draw(rng) for _ in range(4000)]
    counts = np.bincount([number for number, _ in drawn], minlength=7) / 4000
    assert counts == pytest.approx([0.25, 0.25, 0.25, 0.0625, 0.0625, 0.0625, 0.0625], abs=0.03)
    assert np.bincount([view for _, view in drawn]) / 4000 == pytest.approx([1 / 8] * 8, abs=0.03)
    assert [len(views(each)) for each in ("none", "mirror", "square")] == [1, 4, 8]
    seen = {view.of(pictures[0].image).tobytes() for view in views("square")}
    assert len(seen) == 8


def test_the_autoencoder_learns_pictures_and_uses_its_codes(tmp_path):
    torch.manual_seed(0)
    net = VqVae(1, VqVaeSettings(widths=(8, 16), codes=16))

    def feed(rng: np.random.Generator, size: int) -> dict[str, torch.Tensor]:
        levels = rng.uniform(-0.9, 0.9, (size, 1, 2, 2)).repeat(4, 2).repeat(4, 3)
        return {"image": torch.from_numpy(levels.astype(np.float32))}

    probe = feed(np.random.default_rng(1), 16)["image"]
    loop = LoopSettings(steps=150, batch=16, learning_rate=4e-3, device="cpu", precision="fp32")
    train(net, VqVaeLearner(net, 0.25), feed, loop, tmp_path, seed=0)
    with torch.no_grad():
        made = net(probe)
    assert (made.pictures - probe).square().mean() < 0.2 * probe.square().mean()
    assert perplexity(made.quantised.numbers, 16) > 4


@pytest.mark.parametrize("told", ["middle", "everywhere"])
def test_name_and_place_decide_what_is_drawn(told, tmp_path):
    """Two channels: one is the name's sign, the other the cosine of the place's phase."""
    torch.manual_seed(0)
    plane, names = Plane.periodic((10.0, 10.0)), ("minus", "plus")
    net = LatentNet(2, 2, 100, LatentNetSettings(widths=(16,), blocks=1, embedding=32, told=told))
    chain = Chain.of_betas(betas("linear", 100, 1e-3, 0.1), "sample", clip=None)

    def truth(captions: list[Told]) -> torch.Tensor:
        signs = [1.0 if each.name == "plus" else -1.0 for each in captions]
        cosines = [np.cos(2 * np.pi * each.place[0] / 10) for each in captions]
        return torch.tensor([signs, cosines], dtype=torch.float32).T[..., None, None].expand(-1, -1, 2, 2)

    def feed(rng: np.random.Generator, size: int) -> dict[str, torch.Tensor]:
        captions = [Told(names[rng.integers(2)], (2.5 * rng.integers(4), 0.0)) for _ in range(size)]
        return {"latent": truth(captions).contiguous(), **Condition.of(captions, names, plane).as_batch}

    loop = LoopSettings(steps=300, batch=16, learning_rate=4e-3, device="cpu", precision="fp32")
    train(net, LatentLearner(net, chain, 0.1), feed, loop, tmp_path, seed=0)
    asked = [Told(name, (x, 0.0)) for name in names for x in (0.0, 5.0)]
    condition, sigmas = Condition.of(asked, names, plane), chain.sigmas(20)
    start = chain.start(torch.randn(4, 2, 2, 2, generator=torch.Generator().manual_seed(0)), sigmas)
    with torch.no_grad():
        made = SAMPLERS["dpmpp_2m"](chain.denoiser(lambda x, at: net(x, at, condition)), start, sigmas).mean((2, 3))
    assert torch.equal(made.sign(), truth(asked)[..., 0, 0])
    assert made.abs().min() > 0.3
