import numpy as np
import pytest
import torch

from flawsmith.core.errors import StageError
from flawsmith.data.loading import load_sample
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.segment.fit import SegmentCourse
from flawsmith.inspectors.segment.inspector import Segmenter, tiles
from flawsmith.inspectors.segment.net import SegmentNet
from flawsmith.inspectors.segment.settings import SegmentSettings
from flawsmith.metrics.inspection import count_pixels

TINY = SegmentSettings(width=8, stages=2, crop=16, batch=8, steps=60, cycle=10, learning_rate=5e-3)


def same(one, other):
    mine, theirs = one.net.state_dict(), other.net.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_it_learns_to_find_dark_squares(plates, tmp_path):
    inspector = SegmentCourse(plates(good=6, dent=4), None, TINY, seed=0).advance(60, tmp_path)
    samples = [load_sample(entry) for entry in plates(good=1, dent=3)]
    findings = inspector.inspect([sample.image for sample in samples])
    assert findings.image_scores.shape == (4,)
    for sample, scores in zip(samples, findings.pixel_scores, strict=True):
        assert scores.shape == sample.size_hw
        if sample.defects:
            assert count_pixels(sample.mask, scores).average_precision > 0.8


def test_rounds_give_the_weights_of_one_go(plates, tmp_path):
    catalog = plates(good=4, dent=3)
    whole = SegmentCourse(catalog, None, TINY, seed=1).advance(30, tmp_path / "whole")
    SegmentCourse(catalog, None, TINY, seed=1).advance(10, tmp_path / "rounds")
    course = SegmentCourse(catalog, None, TINY, seed=1)
    course.advance(20, tmp_path / "rounds")
    assert same(whole, course.advance(30, tmp_path / "rounds"))
    assert not same(whole, SegmentCourse(catalog, None, TINY, seed=2).advance(30, tmp_path / "other"))


def test_a_saved_inspector_says_the_same(plates, tmp_path):
    family = INSPECTORS["unet_small"]
    settings = family.settings(width=4, stages=2, crop=16, batch=4)
    inspector = family.course(plates(good=2, dent=2), None, settings, seed=0).advance(3, tmp_path / "training")
    inspector.save(tmp_path / "model")
    images = [np.random.default_rng(0).integers(0, 255, (37, 50, 1), np.uint8)]
    ours, theirs = inspector.inspect(images), family.load(tmp_path / "model").inspect(images)
    assert (ours.pixel_scores[0] == theirs.pixel_scores[0]).all()
    assert ours.pixel_scores[0].shape == (37, 50)
    with pytest.raises(StageError, match="no weights"):
        family.load(tmp_path)


def test_tiles_part_the_image():
    count = np.zeros((70, 45), int)
    for core, seen in tiles((70, 45), 16, 8):
        core.cut(count)[...] += 1
        assert seen.top <= core.top
        assert seen.right >= core.right
    assert (count == 1).all()


def test_a_tiled_image_is_scored_as_a_whole_one():
    torch.manual_seed(0)
    shape = {"channels": 1, "width": 4, "stages": 2, "patch": 2}
    net = SegmentNet(**shape)
    whole, tiled = Segmenter(net, shape), Segmenter(net, shape)
    tiled.tile = 64
    image = np.random.default_rng(0).integers(0, 255, (301, 203, 1), np.uint8)
    ours, theirs = tiled.inspect([image]).pixel_scores[0], whole.inspect([image]).pixel_scores[0]
    assert np.abs(ours - theirs).max() < 2e-3
