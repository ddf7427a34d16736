import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from flawsmith.inspectors.segment.net import SegmentNet, defect_scores, focal_loss, image_score, pool_side


def test_the_full_network_has_drams_layers():
    net = SegmentNet(3, 64, 6)
    widths = [stage[0].out_channels for stage in net.encoder]
    assert widths == [64, 128, 256, 512, 512, 512]
    assert [stage[0].in_channels for stage in reversed(net.decoder)] == [1024, 768, 384, 192, 128]
    assert [stage[0].out_channels for stage in reversed(net.decoder)] == [512, 256, 128, 64, 64]


@pytest.mark.parametrize(("channels", "patch", "stages"), [(1, 1, 2), (3, 2, 3)])
def test_logits_have_the_size_of_the_image(channels, patch, stages):
    net = SegmentNet(channels, 4, stages, patch).eval()
    x = torch.randn(2, channels, net.multiple * 3, net.multiple * 2)
    assert net(x).shape == (2, 2, net.multiple * 3, net.multiple * 2)
    assert net(x).dtype == torch.float32


def test_focal_loss_is_cross_entropy_at_gamma_zero_and_follows_its_formula():
    logits, target = torch.randn(3, 2, 5, 4), torch.randint(0, 2, (3, 5, 4))
    assert focal_loss(logits, target, 0.0) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, target)))
    p = torch.softmax(logits, 1).gather(1, target[:, None])
    assert float(focal_loss(logits, target)) == pytest.approx(float((-((1 - p) ** 2) * p.log()).mean()), rel=1e-5)


def test_scores_are_the_softmax():
    logits = torch.randn(2, 2, 4, 4)
    assert torch.allclose(defect_scores(logits), torch.softmax(logits, 1)[:, 1], atol=1e-6)


def test_image_score_is_the_best_window_mean():
    scores = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    means = uniform_filter(scores.astype(np.float64), 7)[3:-3, 3:-3]
    assert float(image_score(torch.from_numpy(scores)[None], 7)) == pytest.approx(means.max(), abs=1e-5)


def test_the_window_is_odd_and_shrinks_with_small_images():
    assert [pool_side((side, 400)) for side in (4, 12, 32, 128, 255, 256, 2000)] == [1, 1, 1, 9, 19, 21, 21]
