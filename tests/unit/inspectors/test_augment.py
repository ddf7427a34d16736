import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.inspectors.augment import augmented, erased, moved


def crops(count=16, channels=1, side=32, seed=0):
    """Dark discs on light ground with noise, and their masks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    targets = np.stack(
        [(rows - rng.integers(10, 22)) ** 2 + (columns - rng.integers(10, 22)) ** 2 < 30 for _ in range(count)]
    )
    images = np.where(targets, -0.6, 0.4)[:, None] + rng.normal(0, 0.02, (count, channels, side, side))
    return torch.from_numpy(images.astype(np.float32)), torch.from_numpy(targets.astype(np.int64))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), channels=st.sampled_from([1, 3]), strength=st.floats(0.05, 1))
def test_augmented_crops_keep_their_kind(seed, channels, strength):
    images, targets = crops(channels=channels)
    before = images.clone(), targets.clone()
    seen, marks = augmented(images, targets, strength, np.random.default_rng(seed))
    assert seen.shape == images.shape
    assert seen.dtype == images.dtype
    assert seen.abs().max() <= 1
    assert set(marks.unique().tolist()) <= {0, 1}
    assert marks.dtype == targets.dtype
    assert torch.equal(images, before[0])
    assert torch.equal(targets, before[1])
    again = augmented(images, targets, strength, np.random.default_rng(seed))
    assert torch.equal(seen, again[0])
    assert torch.equal(marks, again[1])


def test_no_strength_changes_nothing():
    images, targets = crops()
    seen, marks = augmented(images, targets, 0.0, np.random.default_rng(0))
    assert torch.equal(seen, images)
    assert torch.equal(marks, targets)


@pytest.mark.parametrize("seed", range(5))
def test_the_mask_moves_with_the_defect(seed):
    images, targets = crops()
    seen, marks = moved(images, targets, 1.0, np.random.default_rng(seed))
    assert not torch.equal(marks, targets)
    dark = seen[:, 0] < -0.1
    overlap = (dark & marks.bool()).sum() / (dark | marks.bool()).sum()
    assert overlap > 0.85


def test_what_is_covered_is_no_defect_any_more():
    images, targets = crops(64)
    seen, marks = erased(images, targets, 1.0, np.random.default_rng(0))
    gone = targets.bool() & ~marks.bool()
    assert gone.any()
    assert (seen[:, 0][gone] > -0.5).all()
    assert torch.equal(seen[:, 0][marks.bool()], images[:, 0][marks.bool()])


def test_crops_are_made_more_various():
    images, targets = crops(64)
    flat = torch.zeros_like(targets)
    seen, _ = augmented(images, flat, 1.0, np.random.default_rng(0))
    assert seen.mean((1, 2, 3)).std() > 5 * images.mean((1, 2, 3)).std()
    assert seen.std((1, 2, 3)).std() > 1.5 * images.std((1, 2, 3)).std()
