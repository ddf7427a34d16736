import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from flawsmith.core.errors import SettingsError, StageError, TrainingError
from flawsmith.core.records import GOOD, Entry, MaskFile
from flawsmith.data.loading import load_sample
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.classify.fit import ClassifyCourse
from flawsmith.inspectors.classify.settings import SmallClassifySettings
from flawsmith.inspectors.frame_bank import FrameBank
from flawsmith.inspectors.frames import framed, framed_mask

TINY = SmallClassifySettings(size=32, width=8, stages=2, batch=8, steps=60, cycle=10, learning_rate=5e-3)
STILL = TINY.model_copy(update={"brightness": 0.0, "contrast": 0.0})


def test_a_frame_keeps_the_aspect_and_repeats_the_edge():
    image = np.zeros((20, 40, 1), np.uint8)
    image[:, 20:] = 255
    frame = framed(image, 16, 3)
    assert frame.shape == (16, 16, 3)
    assert frame.dtype == np.float32
    assert frame[:, :6] == pytest.approx(-1, abs=1e-5)
    assert frame[:, 10:] == pytest.approx(1, abs=1e-5)


def test_what_is_left_over_repeats_the_edge_on_both_sides():
    image = np.random.default_rng(0).integers(0, 255, (20, 40, 1), np.uint8)
    frame = framed(image, 16, 1)
    assert (frame[:4] == frame[4]).all()
    assert (frame[12:] == frame[11]).all()
    assert (frame[5] != frame[4]).any()
    assert framed(image.swapaxes(0, 1), 16, 1) == pytest.approx(frame.swapaxes(0, 1), abs=1e-5)


def test_a_frame_averages_instead_of_picking_pixels():
    image = np.zeros((64, 64, 1), np.uint8)
    image[::2] = 255
    assert np.abs(framed(image, 16, 1)[2:-2]).max() < 0.1


def test_a_single_marked_pixel_stays_marked():
    mask = np.zeros((100, 60), bool)
    mask[37, 21] = True
    small = framed_mask(mask, 16)
    assert small.shape == (16, 16)
    assert 0 < small.sum() < 16
    assert not framed_mask(np.zeros((100, 60), bool), 16).any()


def test_half_of_a_batch_is_good_and_the_classes_are_even(plates):
    bank = FrameBank(plates(good=3, dent=4, pit=1), None, TINY)
    assert bank.classes == (GOOD, "dent", "pit")
    rng = np.random.default_rng(0)
    targets = torch.cat([bank.batch(rng, 8)["target"] for _ in range(60)])
    shares = torch.bincount(targets) / len(targets)
    assert shares.tolist() == pytest.approx([0.5, 0.25, 0.25], abs=0.06)
    assert bank.batch(rng, 8)["image"].shape == (8, 1, 32, 32)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_synthetic_images_is_kept(plates, share):
    """Synthetic images show another class here, so their targets tell them apart."""
    bank = FrameBank(plates(good=2, dent=2), plates(pit=5), STILL)
    rng = np.random.default_rng(2)
    targets = torch.cat([bank.batch(rng, 8, share)["target"][1::2] for _ in range(80)])
    assert float((targets == 2).float().mean()) == pytest.approx(share, abs=0.09)


def test_a_batch_depends_on_its_generator_alone(plates):
    catalog = plates(good=3, dent=2)
    augmented = TINY.model_copy(update={"augment": 1.0})
    first, second = (FrameBank(catalog, None, augmented) for _ in range(2))
    first.batch(np.random.default_rng(9), 8)
    ours, theirs = first.batch(np.random.default_rng(5), 8), second.batch(np.random.default_rng(5), 8)
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_a_defect_that_augmentation_covers_makes_a_good_image(plates, tmp_path):
    good, mask = plates(good=1), np.zeros((32, 32), np.uint8)
    mask[15:17, 15:17] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(mask).save(tmp_path / "spot.png")
    spot = Entry("spot", tmp_path / "spot.png", "spot", "spot", (MaskFile(tmp_path / "mask.png", "spot"),))
    bank = FrameBank(good.with_entries([*good, spot]), None, STILL.model_copy(update={"augment": 1.0}))
    rng = np.random.default_rng(0)
    targets = torch.cat([bank.batch(rng, 64)["target"][1::2] for _ in range(20)])
    assert 0.9 < float(targets.float().mean()) < 1
    bare = FrameBank(good.with_entries([*good, replace(spot, masks=())]), None, bank.settings)
    assert bare.batch(rng, 64)["target"][1::2].all(), "without a mask nobody can say what was covered"


def test_nothing_to_learn_from_is_an_error(plates):
    with pytest.raises(TrainingError, match="no good image"):
        FrameBank(plates(dent=2), None, TINY)
    with pytest.raises(TrainingError, match="no defective image"):
        FrameBank(plates(good=2), None, TINY)


def test_it_learns_to_tell_dark_squares(plates, tmp_path):
    news = []
    course = ClassifyCourse(plates(good=8, dent=6), None, TINY, seed=0)
    inspector = course.advance(60, tmp_path, progress=lambda *each: news.append(each))
    assert news[0] == ("inspector", 0, 60, "from scratch")
    samples = [load_sample(entry) for entry in plates(good=4, dent=4)]
    findings = inspector.inspect([sample.image for sample in samples])
    assert findings.pixel_scores is None
    assert findings.classes == (GOOD, "dent")
    assert findings.image_scores == pytest.approx(1 - findings.class_probabilities[:, 0], abs=1e-6)
    assert findings.image_scores[4:].min() > findings.image_scores[:4].max()


def test_a_saved_classifier_says_the_same(plates, tmp_path):
    inspector = ClassifyCourse(plates(good=2, dent=2), None, TINY, seed=0).advance(3, tmp_path / "training")
    inspector.save(tmp_path / "model")
    family = INSPECTORS["classifier_small"]
    again = family.load(tmp_path / "model")
    assert again.card == inspector.card
    images = [np.random.default_rng(0).integers(0, 255, (37, 50, 3), np.uint8)]
    assert (again.inspect(images).class_probabilities == inspector.inspect(images).class_probabilities).all()
    with pytest.raises(StageError, match="no weights"):
        family.load(tmp_path)


def test_without_timm_the_error_names_the_extra(plates, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    family = INSPECTORS["classifier"]
    with pytest.raises(SettingsError, match=r"flawsmith\[timm\]"):
        family.course(plates(good=1, dent=1), None, family.settings(), seed=0)
