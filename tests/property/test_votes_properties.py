"""Votes and agreement: who speaks first does not count, and strangers' tables end in errors of our own."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flawsmith.core.errors import FlawsmithError
from flawsmith.data.votes.boxes import match_boxes
from flawsmith.data.votes.counting import vote
from flawsmith.data.votes.pixels import consensus
from flawsmith.data.votes.tables import NamedBox, read_votes
from flawsmith.metrics.agreement import agreement, cohen_kappa, fleiss_kappa

LABELS = st.sampled_from(["good", "dent", "crack", "rust"])
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CELLS = st.one_of(
    st.sampled_from(["a.png", "b/c.png", "dent", "good", "1", "2.5", "1e308", "nan", "-3", ""]), st.text()
)


@st.composite
def boxes(draw):
    corner = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20))
    return [
        NamedBox(draw(LABELS), (float(left), float(top), float(left + width), float(top + height)))
        for left, top, width, height in draw(st.lists(corner, max_size=5))
    ]


@PATIENT
@given(st.lists(LABELS, max_size=9), st.randoms())
def test_the_order_of_inspectors_does_not_count(given_labels, random):
    shuffled = random.sample(given_labels, len(given_labels))
    first, second = vote("x", given_labels), vote("x", shuffled)
    assert (first.status, first.label, first.votes) == (second.status, second.label, dict(second.votes))
    if first.label is not None:
        assert 2 * given_labels.count(first.label) > len(given_labels) >= 2


@PATIENT
@given(arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(2, 5)), elements=st.integers(0, 3)))
def test_kappas_do_not_depend_on_the_order_of_images_or_labels(codes):
    counts = (codes[:, :, None] == np.arange(4)).sum(1)
    turned = counts[::-1, ::-1]
    assert np.isclose(fleiss_kappa(counts), fleiss_kappa(turned), equal_nan=True)
    assert np.allclose(agreement(counts), agreement(turned)[::-1])
    assert ((agreement(counts) >= 0) & (agreement(counts) <= 1)).all()
    one, other = codes[:, 0], codes[:, 1]
    assert np.isclose(cohen_kappa(one, other), cohen_kappa(3 - other, 3 - one), equal_nan=True)


@PATIENT
@given(boxes(), boxes())
def test_boxes_are_compared_alike_from_either_side(ones, others):
    first, second = match_boxes(ones, others, 0.5, 1.5), match_boxes(others, ones, 0.5, 1.5)
    assert np.isclose(sum(first.ious), sum(second.ious))
    assert len(first.ious) <= min(len(ones), len(others))
    assert all(0.5 <= iou <= 1 for iou in first.ious)
    assert ("count" in first.disputes) == (len(ones) != len(others))
    assert match_boxes(ones, ones, 0.5, 1.5).ious == (1.0,) * len(ones)


@PATIENT
@given(arrays(np.bool_, st.tuples(st.integers(2, 6), st.integers(1, 6), st.integers(1, 6))))
def test_consensus_lies_between_what_all_and_what_any_marked(masks):
    found = consensus(list(masks))
    assert not (found.marked & found.tied).any()
    assert (masks.all(0) <= found.marked).all()
    assert ((found.marked | found.tied) <= masks.any(0)).all()
    assert len(masks) % 2 == 0 or not found.tied.any()
    assert all(0 <= iou <= 1 for iou in found.ious)


@settings(PATIENT, max_examples=200)
@given(st.lists(st.lists(CELLS, max_size=6), max_size=5), st.booleans())
def test_any_table_is_read_or_refused(lines, drawn):
    head = "file,label,x1,y1,x2,y2" if drawn else "file,label"
    text = "\n".join([head, *(",".join(cells) for cells in lines)])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "anna.csv"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            votes = read_votes(file, Path(folder), ["a.png", "b/c.png"])
        except FlawsmithError:
            return
        assert set(votes.labels) <= {"a.png", "b/c.png"}
        assert set(votes.boxes or ()) <= set(votes.labels)
