import numpy as np
import pytest

from flawsmith.core.errors import TrainingError
from flawsmith.data.loading import load_sample
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
    bank = CropBank(real, synthetic, SMALL.model_copy(update={"synthetic_share": share}), 4)
    seen = []
    get = bank.store.get
    monkeypatch.setattr(bank.store, "get", lambda entry: seen.append(entry.image.parents[1]) or get(entry))
    rng = np.random.default_rng(2)
    for _ in range(400):
        bank._defect(rng)
    assert np.mean([folder == synthetic.root for folder in seen]) == pytest.approx(share, abs=0.07)


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
