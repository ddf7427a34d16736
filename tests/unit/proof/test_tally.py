import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.metrics import average_precision_score

from flawsmith.core.records import GOOD, Entry
from flawsmith.metrics.inspection import count_pixels
from flawsmith.proof.numbers import measured, pixel_precisions
from flawsmith.proof.tally import Tally, class_pixels

LABELS = (GOOD, "crack", "pit", "crack", GOOD, "pit")
GROUPS = ("tile 2", "tile 1", "tile 1", "tile 3", "tile 1", "tile 3")


@pytest.fixture
def seen():
    """Six images: label, group, mask and scores; cracks cover ten times what pits do."""
    rng, found = np.random.default_rng(5), []
    for label, group in zip(LABELS, GROUPS, strict=True):
        mask = np.zeros((20, 20), bool)
        mask[2:12, 3:8] = label == "crack"
        mask[15, 10:15] = label == "pit"
        found.append((label, group, mask, rng.uniform(0.1, 0.6, mask.shape) + 0.3 * mask))
    return found


def tally_of(seen, tmp_path):
    tally = Tally(sorted(set(GROUPS)))
    for number, (label, group, mask, scores) in enumerate(seen):
        entry = Entry(str(number), tmp_path / f"{number}.png", label, group)
        tally.add(entry, count_pixels(mask, scores))
    return tally


def exact(seen, wanted):
    """Average precision of the pixels of some classes against all sound ones, by scikit-learn."""
    kept = [(mask, scores, label in wanted) for label, _, mask, scores in seen]
    masks = np.concatenate([mask[~mask | here] for mask, _, here in kept])
    return average_precision_score(masks, np.concatenate([scores[~mask | here] for mask, scores, here in kept]))


def test_the_pixels_of_each_class_are_ranked_among_all_sound_ones(seen, tmp_path):
    tally = tally_of(seen, tmp_path)
    by_class = pixel_precisions(tally)
    assert by_class == {label: pytest.approx(exact(seen, {label}), abs=1e-3) for label in ("crack", "pit")}
    images = [{"label": label, "score": 0.5, "group": group, "named": None} for label, group, *_ in seen]
    found = measured(images, tally, 0.01, None)
    assert found["pixel_macro_ap"] == pytest.approx(np.mean(list(by_class.values())))
    assert found["pixel_ap"] == pytest.approx(exact(seen, {"crack", "pit"}), abs=1e-3)
    assert found["pixel_macro_ap"] < found["pixel_ap"], "most of the defect pixels are cracks, which are easier here"


def test_what_is_kept_of_a_class_adds_up_to_all_its_pixels(seen, tmp_path):
    tensors = load(save(tally_of(seen, tmp_path).tensors()))
    classes = class_pixels(tensors)
    assert [each.groups.tolist() for each in classes] == [[0, 2], [0, 2]]
    assert [int(each.counts.sum()) for each in classes] == [100, 10]
    whole = np.zeros_like(tensors["positive"])
    for each in classes:
        whole[each.groups] += each.counts
    assert (whole == tensors["positive"]).all()


def test_without_marked_pixels_there_is_no_class(tmp_path):
    tally = Tally(["a"])
    assert class_pixels(tally.tensors()) == []
    assert (
        measured([{"label": GOOD, "score": 0.1, "named": None, "group": "a"}], tally, 0.01, None)["pixel_macro_ap"]
        is None
    )
