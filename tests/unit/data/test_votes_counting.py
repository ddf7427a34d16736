"""Votes on labels, boxes and pixels, and what is called ambiguous."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.data.image_io import read_image, write_image, write_mask
from flawsmith.data.votes.ballots import Ballot
from flawsmith.data.votes.boxes import box_iou, match_boxes
from flawsmith.data.votes.consensus_masks import write_consensus
from flawsmith.data.votes.counting import Vote, tally, vote
from flawsmith.data.votes.disputes import ambiguous, compare_boxes
from flawsmith.data.votes.pixels import consensus
from flawsmith.data.votes.settings import VoteSettings
from flawsmith.data.votes.tables import NamedBox


@pytest.mark.parametrize(
    ("given", "status", "label"),
    [
        (["dent", "good", "dent"], "voted", "dent"),
        (["dent", "good"], "tie", None),
        (["dent", "good", "dent", "good", "crack"], "tie", None),
        (["dent", "good", "dent", "crack"], "no majority", None),
        (["dent"], "too few", None),
        ([], "too few", None),
        (["unusable", "unusable", "dent"], "dropped", None),
    ],
)
def test_a_label_is_voted_by_more_than_half_or_not_at_all(given, status, label):
    found = vote("x", given, 2, ("unusable",))
    assert (found.status, found.label) == (status, label)
    assert sum(found.votes.values()) == len(given)
    assert vote("x", given[::-1], 2, ("unusable",)) == found, "the order of the inspectors does not count"


def test_labels_as_numbers():
    found = tally(["x", "y"], [Ballot("anna", {"x": "dent", "y": "good"}), Ballot("ben", {"x": "crack"})])
    assert found.labels == ("crack", "dent", "good")
    assert found.codes.tolist() == [[1, 0], [2, -1]]
    assert found.counts.tolist() == [[1, 1, 0], [0, 0, 1]]


def box(left, top, right, bottom, label="dent"):
    return NamedBox(label, (left, top, right, bottom))


@pytest.mark.parametrize(
    ("ones", "others", "disputes"),
    [
        ([box(0, 0, 10, 10)], [box(0, 0, 10, 10)], ()),
        ([box(0, 0, 10, 10)], [], ("count",)),
        ([], [], ()),
        ([box(0, 0, 10, 10)], [box(0, 0, 10, 10, "crack")], ("name",)),
        ([box(0, 0, 10, 10)], [box(0, 0, 10, 6)], ("size",)),
        ([box(0, 0, 10, 10)], [box(20, 20, 30, 30)], ("place",)),
        ([box(0, 0, 10, 10), box(50, 0, 60, 10)], [box(50, 0, 60, 10), box(0, 0, 10, 10)], ()),
        ([box(0, 0, 10, 10), box(50, 0, 60, 10)], [box(50, 0, 60, 10, "crack")], ("count", "name")),
    ],
)
def test_what_boxes_differ_in(ones, others, disputes):
    assert match_boxes(ones, others, 0.5, 1.5).disputes == disputes
    assert match_boxes(others, ones, 0.5, 1.5).disputes == disputes


def test_boxes_are_matched_for_the_largest_overlap_in_all():
    """Taken greedily, the best pair would leave two boxes over."""
    ones, others = [box(0, 0, 10, 10), box(0, 0, 10, 14)], [box(0, 0, 10, 11), box(0, 0, 10, 8)]
    found = match_boxes(ones, others, 0.5, 2.0)
    assert found.disputes == ()
    assert sorted(found.ious) == pytest.approx([11 / 14, 0.8])


def test_overlap_of_boxes_is_that_of_their_pixels():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, 20, (6, 2, 2)), 1) + np.array([[0, 0], [1, 1]])
    boxes = [tuple(map(float, each.reshape(-1))) for each in corners]
    drawn = np.zeros((6, 21, 21), bool)
    for mask, ((left, top), (right, bottom)) in zip(drawn, corners, strict=True):
        mask[top:bottom, left:right] = True
    expected = [[(one & other).sum() / (one | other).sum() for other in drawn] for one in drawn]
    assert box_iou(boxes, boxes) == pytest.approx(np.array(expected))


def test_a_pixel_is_marked_by_more_than_half():
    masks = [np.array([row], bool) for row in ([1, 1, 0, 0], [1, 0, 0, 1])]
    two = consensus(masks)
    assert two.marked.tolist() == [[True, False, False, False]]
    assert two.tied.tolist() == [[False, True, False, True]]
    assert two.ious == pytest.approx([1 / 3])
    three = consensus([*masks, np.array([[0, 1, 0, 0]], bool)])
    assert three.marked.tolist() == [[True, True, False, False]]
    assert not three.tied.any()
    assert consensus([np.zeros((2, 2), bool)] * 2).ious == (1.0,)
    with pytest.raises(DataError, match="got 1"):
        consensus(masks[:1])


@pytest.fixture
def drawn(tmp_path):
    """Three inspectors' masks of five images."""
    rows = {
        "agreed.png": ([1, 2, 3], [2, 3, 4], [3, 4, 5]),
        "apart.png": ([1], [5], [9]),
        "good.png": ([], [], []),
        "tie.png": ([1], []),
        "alone.png": ([1],),
    }
    ballots = []
    for number, who in enumerate(("anna", "ben", "cem")):
        masks = {image: tmp_path / who / image for image in rows if number < len(rows[image])}
        for image, path in masks.items():
            mask = np.zeros((10, 4), bool)
            mask[rows[image][number]] = True
            write_mask(path, mask)
        labels = {image: "dent" if rows[image][number] else "good" for image in masks}
        ballots.append(Ballot(who, labels, None, masks))
    images = {image: tmp_path / "set" / image for image in rows}
    for path in images.values():
        write_image(path, np.zeros((10, 4, 1), np.uint8))
    votes = [vote(image, [each.labels[image] for each in ballots if image in each.labels]) for image in images]
    return images, ballots, votes


def test_consensus_masks_are_written_where_a_label_was_voted(drawn, tmp_path):
    images, ballots, votes = drawn
    before = {path: path.read_bytes() for each in ballots for path in each.masks.values()}
    found = write_consensus(tmp_path / "out", images, ballots, votes)
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert files == ["masks/agreed.png", "masks/good.png", "undecided/tie.png"]
    assert np.flatnonzero(read_image(tmp_path / "out/masks/agreed.png")[:, 0, 0]).tolist() == [2, 3, 4]
    assert not read_image(tmp_path / "out/masks/good.png").any()
    assert found["apart.png"].contradicts
    assert found["apart.png"].file is None
    assert (found["tie.png"].tied_px, found["tie.png"].iou) == (4, 0.0)
    assert "alone.png" not in found
    assert before == {path: path.read_bytes() for path in before}


def test_ambiguous_images_say_why_and_come_in_order(drawn, tmp_path):
    images, ballots, votes = drawn
    masks = write_consensus(tmp_path / "out", images, ballots, votes)
    agreements = {"agreed.png": 1.0, "apart.png": 1.0, "good.png": 1.0, "tie.png": 0.0, "alone.png": float("nan")}
    found = ambiguous(votes, agreements, [], masks, VoteSettings(mask_iou=0.3))
    assert [each.image for each in found] == ["tie.png", "apart.png"]
    assert found[0].reasons == ("tie", "0% of the pairs of labels agree", "masks overlap by 0%")
    assert found[1].reasons[0] == "voted dent, but more than half of the masks agree on no pixel"


def test_boxes_make_an_image_ambiguous_too():
    ballots = [
        Ballot("anna", {"x": "dent", "y": "good"}, {"x": (box(0, 0, 9, 9),), "y": ()}),
        Ballot("ben", {"x": "dent", "y": "good"}, {"x": (box(0, 0, 9, 9), box(20, 0, 29, 9)), "y": ()}),
        Ballot("cem", {"x": "dent", "y": "good"}),
    ]
    compared = compare_boxes(["x", "y"], ballots, VoteSettings())
    assert [(each.image, each.one, each.other) for each in compared] == [("x", "anna", "ben"), ("y", "anna", "ben")]
    votes = [Vote("x", "voted", "dent", {"dent": 3}), Vote("y", "voted", "good", {"good": 3})]
    found = ambiguous(votes, {"x": 1.0, "y": 1.0}, compared, {}, VoteSettings())
    assert [(each.image, each.reasons) for each in found] == [("x", ("boxes of anna and ben differ in count",))]
