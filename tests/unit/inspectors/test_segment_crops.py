from dataclasses import replace

import numpy as np
import pytest

from flawsmith.core.errors import TrainingError
from flawsmith.data.loading import load_sample
from flawsmith.inspectors.draws import draw_any
from flawsmith.inspectors.plates import Plate
from flawsmith.inspectors.segment.crops import CropBank, ImageStore, auto_crop, mirrored
from flawsmith.inspectors.segment.settings import SegmentSettings

SMALL = SegmentSettings(crop=16, batch=8)


def test_half_of_a_batch_is_free_of_defects(plates):
    bank = CropBank(plates(good=4, dent=3), None, SMALL, 4)
    rng = np.random.default_rng(0)
    for _ in range(10):
        batch = bank.batch(rng, 8)
        assert batch["image"].shape == (8, 1, 16, 16)
        hit = batch["target"].flatten(1).any(1)
        assert not hit[0::2].any()
        assert hit[1::2].float().mean() >= 0.75


def test_the_image_and_its_target_turn_together(plates):
    still = SMALL.model_copy(update={"brightness": 0.0, "contrast": 0.0})
    bank = CropBank(plates(good=2, dent=3), None, still, 4)
    batch = bank.batch(np.random.default_rng(1), 32)
    inside = batch["image"][:, 0][batch["target"].bool()]
    outside = batch["image"][:, 0][~batch["target"].bool()]
    assert inside.max() < outside.mean()


def test_a_batch_depends_on_its_generator_alone(plates):
    catalog = plates(good=3, dent=2)
    first, second = (CropBank(catalog, None, SMALL, 4) for _ in range(2))
    first.batch(np.random.default_rng(9), 8)
    ours, theirs = first.batch(np.random.default_rng(5), 8), second.batch(np.random.default_rng(5), 8)
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_synthetic_crops_is_kept(plates, share, monkeypatch):
    real, synthetic = plates(good=2, dent=2), plates(dent=5)
    bank = CropBank(real, synthetic, SMALL, 4)
    seen = []
    get = bank.store.get
    monkeypatch.setattr(bank.store, "get", lambda entry: seen.append(entry.image.parents[1]) or get(entry))
    rng = np.random.default_rng(2)
    for _ in range(400):
        bank._defect(rng, share)
    assert np.mean([folder == synthetic.root for folder in seen]) == pytest.approx(share, abs=0.07)


def painted_on(synthetic, real):
    """Return the synthetic catalog as if its images had been painted on the real ones, in turn."""
    surfaces = [entry.id for entry in real if entry.label == "good"]
    return synthetic.with_entries(
        replace(entry, background=surfaces[i % len(surfaces)]) for i, entry in enumerate(synthetic)
    )


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_painted_places_are_seen_unpainted_as_often_as_painted(plates, share, monkeypatch):
    real = plates(good=3, dent=2)
    synthetic = painted_on(plates(dent=6), real)
    bank = CropBank(real, synthetic, SMALL, 4)
    cut = []
    monkeypatch.setattr(bank, "_cut", lambda plate, centre: cut.append(centre) or Plate(plate.image, plate.mask))
    near = 0
    monkeypatch.setattr(bank, "_anywhere", lambda entry, rng: bank.store.get(entry))
    rng = np.random.default_rng(4)
    for _ in range(400):
        cut.clear()
        crop = bank._free(rng, share)
        assert not crop.mask.any()
        near += bool(cut)
    assert near / 400 == pytest.approx(share, abs=0.07)


def test_towards_the_end_of_a_training_all_defects_are_real(plates, monkeypatch):
    real, synthetic = plates(good=2, dent=2), plates(dent=5)
    bank = CropBank(real, synthetic, SMALL.model_copy(update={"synthetic_share": 0.35, "real_last": 0.3}), 4)
    seen = []
    get = bank.store.get
    monkeypatch.setattr(bank.store, "get", lambda entry: seen.append(entry.image.parents[1]) or get(entry))

    def share_at(done):
        seen.clear()
        for seed in range(60):
            bank.at(done)(np.random.default_rng(seed), 8)
        return sum(folder == synthetic.root for folder in seen) / (60 * 4)

    assert share_at(0.0) == pytest.approx(0.5, abs=0.1)
    assert share_at(0.69) == pytest.approx(0.5, abs=0.1)
    assert share_at(0.7) == share_at(0.99) == 0


def test_an_unpainted_crop_is_the_photograph_under_the_defect(plates):
    real = plates(good=3, dent=2)
    synthetic = painted_on(plates(dent=6), real)
    bank = CropBank(real, synthetic, SMALL, 4)
    twins = {each.entry.image: bank.surfaces[each.entry.background] for each in bank.painted["dent"]}
    for seed in range(10):
        drawn = draw_any(bank.painted["dent"], np.random.default_rng(seed))
        defect, bare = (
            bank._cut_near(drawn, bank.store.get(entry), np.random.default_rng(seed))
            for entry in (drawn.entry, twins[drawn.entry.image])
        )
        assert defect.mask.any()
        assert not bare.mask.any()
        assert bare.image.shape == defect.image.shape


@pytest.mark.parametrize("settings", [SMALL.model_copy(update={"unpainted": False}), SMALL])
def test_without_known_surfaces_or_where_told_so_nothing_is_unpainted(plates, settings):
    real = plates(good=3, dent=2)
    synthetic = plates(dent=6) if settings.unpainted else painted_on(plates(dent=6), real)
    assert not CropBank(real, synthetic, settings, 4).painted


def test_images_beyond_the_budget_are_read_again(plates):
    catalog = plates(good=3)
    store = ImageStore(budget=2 * 32 * 32 * 2)
    held = [store.get(entry) for entry in catalog]
    again = [store.get(entry) for entry in catalog]
    assert [a is b for a, b in zip(held, again, strict=True)] == [True, True, False]
    assert (again[2].image == load_sample(catalog.entries[2]).image).all()


def test_a_crop_follows_the_defects_and_fits_the_image(plates):
    bank = CropBank(plates(good=2, dent=2), None, SMALL.model_copy(update={"crop": "auto"}), 4)
    assert bank.side == 32
    assert auto_crop(bank.marked, 400) == 64


def test_small_images_are_mirrored():
    array = np.arange(6).reshape(2, 3, 1)
    wide = mirrored(array, 7)
    assert wide.shape == (7, 7, 1)
    assert (wide[:2, :3] == array).all()
    assert (wide[2] == wide[1]).all()


def test_nothing_to_learn_from_is_an_error(plates):
    with pytest.raises(TrainingError, match="no defective image"):
        CropBank(plates(good=3), None, SMALL, 4)
