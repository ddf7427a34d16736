"""anomalib's detectors through its own package: weights of a tiny backbone are made here, nothing is downloaded."""

import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip("anomalib", reason="anomalib is not installed: pip install 'flawsmith[anomalib]'")

import timm

from flawsmith.core.errors import SettingsError, StageError, TrainingError
from flawsmith.data.loading import load_sample
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.anomalib.engine import Drawn
from flawsmith.inspectors.anomalib.models import build, shape_of
from flawsmith.inspectors.frame_bank import FrameBank

BACKBONE = "test_resnet"
SMALL = {"backbone": BACKBONE, "size": 72, "weights": "random", "batch": 4}
SIMPLE = INSPECTORS["supersimplenet"]


def looked_at(inspector, catalog):
    return inspector.inspect([load_sample(entry).image for entry in catalog])


def test_supersimplenet_learns_from_labelled_defects(plates, tmp_path):
    news = []
    settings = SIMPLE.settings(**SMALL, cycle=15)
    inspector = SIMPLE.course(plates(good=8, dent=8), None, settings, seed=0).advance(
        30, tmp_path, progress=lambda *each: news.append(each)
    )
    assert news[0] == ("inspector", 0, 30, "test_resnet with random weights: what it sees means little")
    assert [each[1] for each in news[1:]] == list(range(1, 31))
    assert [path.name for path in tmp_path.iterdir()] == ["so_far.safetensors"], "nothing of the Engine's own is kept"
    test = plates(good=6, dent=6)
    findings = looked_at(inspector, test)
    assert findings.image_scores[6:].mean() > findings.image_scores[:6].mean()
    masks = [load_sample(entry).mask for entry in test.entries[6:]]
    marked = [
        (scores[mask].mean(), scores[~mask].mean())
        for scores, mask in zip(findings.pixel_scores[6:], masks, strict=True)
    ]
    assert sum(inside for inside, _ in marked) > sum(outside for _, outside in marked)


def test_synthetic_defects_change_what_supersimplenet_learns(plates, tmp_path):
    real, synthetic, settings = plates(good=2, dent=2), plates(dent=3), SIMPLE.settings(**SMALL)
    with_them = SIMPLE.course(real, synthetic, settings, seed=0).advance(2, tmp_path / "with")
    without = SIMPLE.course(real, None, settings, seed=0).advance(2, tmp_path / "without")
    assert (looked_at(with_them, real).image_scores != looked_at(without, real).image_scores).any()


def test_defects_without_a_mask_are_left_out(plates, tmp_path):
    real, dents = plates(good=2, dent=2), plates(dent=2)
    bare = real.with_entries([*real, *(replace(entry, id=f"bare/{entry.id}", masks=()) for entry in dents)])
    ours, theirs = (SIMPLE.course(each, None, SIMPLE.settings(**SMALL), seed=0) for each in (real, bare))
    assert ours.bank.real == theirs.bank.real
    with pytest.raises(TrainingError, match="no defective image"):
        SIMPLE.course(bare.with_entries(bare.entries[:2] + bare.entries[4:]), None, SIMPLE.settings(**SMALL), seed=0)


@pytest.mark.parametrize("name", ["patchcore", "padim"])
def test_one_class_detectors_find_squares_and_leave_defects_aside(name, plates, tmp_path):
    family, more = INSPECTORS[name], {"features": 20} if name == "padim" else {}
    settings, good, dents = family.settings(**SMALL, **more), plates(good=6), plates(dent=3)
    alone = family.course(good, None, settings, seed=0).advance(1, tmp_path / "alone")
    both = good.with_entries([*good, *dents])
    beside = family.course(both, plates(dent=2), settings, seed=0).advance(1, tmp_path / "beside")
    test = plates(good=4, dent=4)
    ours, theirs = looked_at(alone, test), looked_at(beside, test)
    assert (ours.image_scores == theirs.image_scores).all()
    assert ours.image_scores[4:].mean() > ours.image_scores[:4].mean()
    assert all(each.shape == (32, 32) and each.min() >= 0 and each.max() < 1 for each in ours.pixel_scores)


def test_a_round_that_was_killed_begins_again_to_the_same_end(plates, tmp_path):
    real, settings = plates(good=2, dent=2), SIMPLE.settings(**SMALL, cycle=2)
    whole = SIMPLE.course(real, None, settings, seed=3).advance(4, tmp_path / "whole")

    def kill(task, done, total, note=""):
        if done == 3:
            raise KeyboardInterrupt

    ears = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        SIMPLE.course(real, None, settings, seed=3).advance(4, tmp_path / "killed", progress=kill)
    assert signal.getsignal(signal.SIGINT) is ears
    torch.manual_seed(1)
    again = SIMPLE.course(real, None, settings, seed=3).advance(4, tmp_path / "killed")
    ours, theirs = looked_at(whole, real), looked_at(again, real)
    assert (ours.image_scores == theirs.image_scores).all()
    assert all((a == b).all() for a, b in zip(ours.pixel_scores, theirs.pixel_scores, strict=True))


def test_global_streams_are_left_as_they_were(plates, tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    SIMPLE.course(plates(good=1, dent=1), None, SIMPLE.settings(**SMALL), seed=0).advance(1, tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_epochs_end_where_the_steps_do(plates):
    bank = FrameBank(plates(good=1, dent=1), None, SIMPLE.settings(**SMALL), least_channels=3)
    assert Drawn(bank, 2, 1000, 0).limits == {"max_steps": 1000, "max_epochs": 10}
    assert Drawn(bank, 2, 12, 0).limits == {"max_steps": 12, "max_epochs": 6}
    batch = next(iter(Drawn(bank, 2, 12, 0)))
    assert batch.image.shape == (2, 3, 72, 72)
    assert 0 <= batch.image.min() < batch.image.max() <= 1
    assert batch.gt_label.tolist() == [False, True]
    assert batch.gt_mask.flatten(1).any(1).tolist() == [False, True]


def test_weights_of_a_file_are_what_is_looked_with(plates, tmp_path):
    torch.manual_seed(5)
    given = timm.create_model(BACKBONE, pretrained=False)
    save_file(given.state_dict(), tmp_path / "tiny.safetensors")
    settings = SIMPLE.settings(**{**SMALL, "weights": tmp_path / "tiny.safetensors"})
    made = SIMPLE.course(plates(good=1, dent=1), None, settings, seed=0)
    assert made.card.begun.startswith(f"{BACKBONE} from tiny.safetensors (sha256 ")
    inspector = made.advance(1, tmp_path / "training")
    extractor = inspector.model.model.feature_extractor.feature_extractor
    x = torch.rand(1, 3, 72, 72)
    ours = extractor(x)
    theirs = given.eval().forward_intermediates(x, indices=[2, 3], intermediates_only=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours.values(), theirs, strict=True))


def test_wrong_layers_sizes_and_images_are_refused(plates, tmp_path):
    with pytest.raises(SettingsError, match=r"cannot be built over 'test_resnet'.*layer1"):
        build(shape_of("supersimplenet", SIMPLE.settings(**SMALL, layers=("layer7",))))
    small = SIMPLE.settings(**{**SMALL, "size": 32})
    with pytest.raises(SettingsError, match="choose a size of 68 or more"):
        SIMPLE.course(plates(good=1, dent=1), None, small, seed=0).advance(1, tmp_path)
    with pytest.raises(TrainingError, match="no good image"):
        INSPECTORS["patchcore"].course(plates(dent=1), None, INSPECTORS["patchcore"].settings(**SMALL), seed=0)
    with pytest.raises(StageError, match="no weights"):
        SIMPLE.load(tmp_path)
