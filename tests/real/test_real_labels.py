"""neu_900 twice: through its masks and through its boxes.

Both were drawn by different people. What must agree: the images, the class, and where the defects are. Masks lie inside
the boxes nearly everywhere; of faint or scattered secondary defects, each labeller took others.
"""

import numpy as np
import pytest

from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, detect, read_catalog

pytestmark = pytest.mark.real

OTHER_DEFECTS = {"inclusion_227", "inclusion_240", "inclusion_241"}
"""Where masks and boxes mark different specks of one image."""


@pytest.fixture(scope="module")
def steel(real_data):
    root = real_data / "neu_900"
    if not root.is_dir():
        pytest.skip(f"no neu_900 in {real_data}")
    return root


@pytest.fixture(scope="module")
def pairs(steel):
    """The entries by image, through masks and through boxes."""
    masks, boxes = read_catalog(steel), read_catalog(steel, layout="voc")
    found = {entry.image: entry for entry in boxes}
    assert {entry.image for entry in masks} == found.keys()
    return [(entry, found[entry.image]) for entry in masks]


def test_one_layout_is_found_and_the_other_can_be_named(steel):
    assert {name for name in READERS if READERS[name].recognises(steel)} == {"folder", "voc"}
    assert detect(steel) == "folder"


def test_classes_are_the_same(pairs):
    assert len(pairs) == 900
    assert [boxed.label for _, boxed in pairs] == [masked.label for masked, _ in pairs]
    assert all(mask.approximate for _, boxed in pairs for mask in boxed.masks)


def test_masks_lie_in_the_boxes(pairs):
    masks = [load_sample(masked).mask for masked, _ in pairs]
    boxes = [load_sample(boxed).mask for _, boxed in pairs]
    labels = np.array([masked.label for masked, _ in pairs])
    inside = np.array([(mask & box).sum() / mask.sum() for mask, box in zip(masks, boxes, strict=True)])
    strange = np.array(
        [(mask & box).sum() / mask.sum() for mask, box in zip(masks, boxes[1:] + boxes[:1], strict=True)]
    )
    assert {masked.image.stem for (masked, _), share in zip(pairs, inside, strict=True) if not share} == OTHER_DEFECTS
    assert (inside < 0.5).sum() <= 7
    for label in np.unique(labels):
        chosen = labels == label
        assert np.median(inside[chosen]) > 0.97
        assert np.quantile(inside[chosen], 0.05) > 0.8
        assert np.median(strange[chosen]) < np.median(inside[chosen]) - 0.2
