"""The whole-image DDPM: its folders in diffusers, its resuming, its classes, its gallery."""

import sys
from dataclasses import replace
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from stopping import Stopped, stopping

from flawsmith.core.errors import SettingsError, StageError, TrainingError
from flawsmith.core.files import read_json, sha256_tree
from flawsmith.core.protocols import silent
from flawsmith.core.records import GOOD, Catalog, Patch
from flawsmith.core.settings import validated
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.data.loading import load_sample
from flawsmith.generators.ddpm.family import DDPM
from flawsmith.generators.ddpm.folder import begin_with, build_scheduler, chain_of, open_pipeline
from flawsmith.generators.ddpm.painter import DdpmPainter
from flawsmith.generators.ddpm.settings import ChainSettings, DdpmSamplingSettings, DdpmSettings
from flawsmith.generators.gallery import Gallery, gather
from flawsmith.nets.unet2d import UNet2dSettings, build_unet2d, of_one_class, stepwise
from flawsmith.training.settings import LoopSettings

STEPS = 12
NET = UNet2dSettings(widths=(8, 16), blocks=1, attention=(1,))
TINY = {
    "size_hw": (16, 16),
    "net": NET.model_dump(),
    "chain": {"steps": STEPS},
    "loop": {"steps": 6, "batch": 2, "device": "cpu", "checkpoint_seconds": 1000.0},
}
ALL_STEPS = DdpmSamplingSettings(sampler="euler_ancestral", steps=STEPS, sigma_max=None, batch=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Catalog:
    tiny = {"size_hw": (32, 32), "good": 3, "per_class": 2, "most_shots": 1, "faint_share": 0.0}
    return write_demo(tmp_path_factory.mktemp("demo"), DemoSettings(**tiny))


def fit(world: Catalog, folder: Path, progress=silent, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    DDPM.fit(world, validated(DdpmSettings, TINY | changes), folder, seed=1, progress=progress)
    return folder


@pytest.fixture(scope="module")
def together(world, tmp_path_factory) -> Path:
    return fit(world, tmp_path_factory.mktemp("together"))


@pytest.fixture(scope="module")
def apart(world, tmp_path_factory) -> Path:
    two = world.labelled(GOOD, *world.defect_labels[:2])
    return fit(two, tmp_path_factory.mktemp("apart"), classes="apart")


def drawn_by_diffusers(pipeline, seeds) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        batch_size=len(seeds),
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        num_inference_steps=STEPS,
        output_type="pt",
    )
    return made.images * 2 - 1


def test_diffusers_opens_what_was_fitted_and_draws_the_same_picture_from_the_same_noise(apart, world):
    painter = DDPM.load(apart, ALL_STEPS, device="cpu")
    pipeline = diffusers.DDPMPipeline.from_pretrained(apart / "network_0", local_files_only=True)
    assert torch.allclose(painter.draw(world.defect_labels[0], [3, 4]), drawn_by_diffusers(pipeline, [3, 4]), atol=1e-4)


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_folder_that_diffusers_wrote_is_opened_and_drawn_from(schedule, prediction, tmp_path, world):
    torch.manual_seed(0)
    scheduler = build_scheduler(ChainSettings(steps=STEPS, schedule=schedule, prediction=prediction))
    pipeline = diffusers.DDPMPipeline(unet=build_unet2d(NET, (16, 16), 3, None).eval(), scheduler=scheduler)
    pipeline.save_pretrained(tmp_path / "theirs")
    net, found = open_pipeline(tmp_path / "theirs")
    gallery = Gallery.measure(*gather(world, (16, 16), 3, 0))
    painter = DdpmPainter(
        {"spot": stepwise(net, None)}, (3, 16, 16), chain_of(found), gallery, ALL_STEPS, "", torch.device("cpu")
    )
    assert torch.allclose(painter.draw("spot", [7]), drawn_by_diffusers(pipeline, [7]), atol=2e-3)


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_learning_adds_noise_and_asks_for_what_diffusers_would(schedule, prediction):
    scheduler = build_scheduler(ChainSettings(steps=1000, schedule=schedule, prediction=prediction))
    chain, steps = chain_of(scheduler), torch.tensor([0, 400, 990])
    clean, noise = torch.rand(3, 1, 4, 4) * 2 - 1, torch.randn(3, 1, 4, 4)
    wanted = noise if prediction == "epsilon" else scheduler.get_velocity(clean, noise, steps)
    assert torch.allclose(chain.noised(clean, noise, steps), scheduler.add_noise(clean, noise, steps), atol=1e-4)
    assert torch.allclose(chain.target(clean, noise, steps), wanted, atol=1e-4)


def test_the_papers_chain_is_no_number_to_diffusers_own_steps_and_one_to_ours():
    scheduler = build_scheduler(ChainSettings())
    picture = torch.randn(1, 1, 2, 2)
    scheduler.set_timesteps(14_000)
    assert scheduler.step(picture, 13_999, picture).prev_sample.isnan().all()
    chain = chain_of(scheduler)
    sigmas = chain.sigmas(14_000)
    assert len(sigmas) == 14_001
    assert chain.denoiser(lambda x, at: x)(chain.start(picture, sigmas), sigmas[:1].float()).isfinite().all()


def test_one_class_of_a_network_of_several_is_a_plain_pipeline_of_diffusers(together, world):
    painter = DDPM.load(together, ALL_STEPS, device="cpu")
    net, scheduler = open_pipeline(together / "network_0")
    for number, label in enumerate(world.defect_labels):
        pipeline = diffusers.DDPMPipeline(unet=of_one_class(net, number), scheduler=scheduler)
        assert torch.allclose(painter.draw(label, [5]), drawn_by_diffusers(pipeline, [5]), atol=1e-4)
    pictures = [painter.draw(label, [5]) for label in world.defect_labels[:2]]
    assert not torch.equal(*pictures)


@pytest.mark.parametrize("classes", ["together", "apart"])
def test_a_fit_that_was_stopped_goes_on_and_ends_with_the_same_files(
    classes, world, together, apart, tmp_path, monkeypatch
):
    stop = stopping(monkeypatch, lambda task, done, calls: calls == (3 if classes == "together" else 9))
    mine, whole = (
        (world, together) if classes == "together" else (world.labelled(GOOD, *world.defect_labels[:2]), apart)
    )
    with pytest.raises(Stopped):
        fit(mine, tmp_path / "model", progress=stop, classes=classes)
    assert not (tmp_path / "model" / "ddpm.json").exists()
    assert list((tmp_path / "model").rglob("checkpoint.safetensors"))
    fit(mine, tmp_path / "model", classes=classes)
    assert sha256_tree(tmp_path / "model") == sha256_tree(whole)


def test_epochs_decide_the_steps(world, tmp_path):
    folder = fit(world, tmp_path / "model", epochs=2, loop={**TINY["loop"], "log_every": 1})
    pictures = len(world) - len(world.labelled(GOOD))
    assert len(read_json(folder / "network_0" / "losses.json")) == 2 * -(-pictures // 2)


def test_a_fit_begins_with_another_network_and_keeps_no_path_of_it(world, apart, tmp_path):
    loop = {**TINY["loop"], "steps": 1, "learning_rate": 1e-9}
    one = world.labelled(GOOD, world.defect_labels[0])
    start = apart / "network_0"
    begun = fit(one, tmp_path / "begun", loop=loop, start=start)
    theirs, ours = (open_pipeline(each)[0].state_dict() for each in (start, begun / "network_0"))
    assert all(torch.allclose(value, ours[name], atol=1e-6) for name, value in theirs.items())
    assert all(str(start) not in path.read_text("latin-1") for path in begun.rglob("*.json"))
    with pytest.raises(SettingsError, match="another shape"):
        begin_with(build_unet2d(UNet2dSettings(widths=(16, 16), attention=()), (16, 16), 3, None), start)
    with pytest.raises(StageError, match=r"ddpm\.start"):
        begin_with(build_unet2d(NET, (16, 16), 3, None), tmp_path)


def test_a_model_with_a_changed_file_is_refused(together, tmp_path):
    changed = tmp_path / "model"
    for path in (path for path in together.rglob("*") if path.is_file()):
        target = changed / path.relative_to(together)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    scheduler = changed / "network_0" / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("0.02", "0.03"))
    with pytest.raises(StageError, match=r"is not what ddpm\.json says"):
        DDPM.load(changed)
    with pytest.raises(StageError, match="fit it first"):
        DDPM.load(tmp_path)
    with pytest.raises(StageError, match="no DDPM in diffusers' layout"):
        open_pipeline(tmp_path)


def test_without_diffusers_the_extra_is_named(world, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(SettingsError, match=r"flawsmith\[diffusers\]"):
        fit(world, tmp_path / "model")


def test_what_proposals_are_worth_is_measured_on_real_masks(world):
    gallery = Gallery.measure(*gather(world, (32, 32), 3, 0))
    assert 0 < gallery.level.agreement < 1
    hung = gallery.defects[0]
    assert gallery.alike(hung.image, hung.label).id == hung.id
    assert gallery.proposal(hung.image).mask.shape == (32, 32)
    unmarked = [replace(each, mask=None) for each in gallery.defects]
    assert Gallery.measure(gallery.goods, unmarked).level.agreement is None


def test_a_gallery_comes_back_from_disk(world, tmp_path):
    gallery = Gallery.measure(*gather(world, (16, 16), 3, 0))
    gallery.save(tmp_path / "gallery.safetensors")
    again = Gallery.load(tmp_path / "gallery.safetensors")
    assert again.level == gallery.level
    for one, other in zip((*gallery.goods, *gallery.defects), (*again.goods, *again.defects), strict=True):
        assert (one.id, one.label) == (other.id, other.label)
        assert np.array_equal(one.image, other.image)
        assert (one.mask is None) == (other.mask is None)


def test_without_good_images_there_is_nothing_to_read_masks_off_against(world):
    with pytest.raises(TrainingError, match="add good images"):
        Gallery.measure(*gather(world.labelled(*world.defect_labels), (16, 16), 3, 0))


def test_pictures_have_the_cameras_size_and_are_the_networks_own(together, world):
    painter = DDPM.load(together, device="cpu")
    background = load_sample(world.labelled(GOOD).entries[0]).image
    assert background.shape == (32, 32, 3)
    (painting,) = painter.paint([Patch(background, np.zeros((32, 32), bool), world.defect_labels[0], 9)])
    assert painting.image.shape == background.shape
    assert painting.notes["mask_against"].startswith("good/")
    assert painting.notes["resembles"].startswith(world.defect_labels[0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"net": {"widths": [12, 16]}}, "multiples of head"),
        ({"net": {"attention": [4]}}, "must lie within"),
        ({"chain": {"steps": 1}}, "greater than or equal"),
    ],
)
def test_impossible_settings_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        validated(DdpmSettings, wrong)


def test_the_defaults_are_the_papers():
    chosen = DdpmSettings()
    assert chosen.size_hw == (128, 128)
    assert (chosen.chain.steps, chosen.chain.schedule) == (14_000, "linear")
    assert (chosen.chain.beta_first, chosen.chain.beta_last) == (1e-4, 0.02)
    loop: LoopSettings = chosen.loop
    assert (loop.batch, loop.learning_rate, loop.log_every) == (8, 1e-4, 50)
    with pytest.raises(SettingsError, match="divisible by 8"):
        build_unet2d(chosen.net, (100, 128), 3, None)


def test_pictures_that_are_not_square_cannot_be_turned_by_quarters():
    with pytest.raises(SettingsError, match="not square"):
        validated(DdpmSettings, {**TINY, "size_hw": (16, 32), "symmetry": "square"})
