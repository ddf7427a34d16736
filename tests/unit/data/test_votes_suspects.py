"""Labels foretold from other parts' pictures, and the suspects that come of it."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog, Entry
from flawsmith.data.image_io import write_image
from flawsmith.data.votes.doubting import doubts
from flawsmith.data.votes.features import features
from flawsmith.data.votes.settings import VoteSettings
from flawsmith.data.votes.suspects import INSTALL, Foretold, cleanlab_version, foretold, suspects

WRONG = (4, 17, 31)
"""Places of the images whose labels are swapped."""


def picture(rng, dented):
    array = rng.normal(150, 6, (64, 64, 1))
    if dented:
        top, left = rng.integers(4, 40, 2)
        array[top : top + 16, left : left + 16] -= 70
    return array.clip(0, 255).astype(np.uint8)


@pytest.fixture
def catalog(tmp_path):
    """Forty parts, every second one with a dark patch somewhere; three of the labels are wrong."""
    rng = np.random.default_rng(0)
    entries = []
    for number in range(40):
        dented = bool(number % 2)
        path = tmp_path / f"{number:02}.png"
        write_image(path, picture(rng, dented))
        label = "dent" if dented != (number in WRONG) else "good"
        entries.append(Entry(path.name, path, label, path.name))
    return Catalog("set", tmp_path, "votes", tuple(entries))


def test_features_do_not_mind_size_depth_or_place():
    rng = np.random.default_rng(1)
    small = picture(rng, dented=True)
    found = features(small)
    assert found.ndim == 1
    assert np.isfinite(found).all()
    assert features(small.astype(np.uint16) * np.uint16(257)) == pytest.approx(found, abs=0.02)
    assert features(small[:, ::-1].repeat(3, 2)).shape == found.shape
    assert features(np.zeros((7, 300, 3), np.uint8)).shape == found.shape
    other, sound = picture(rng, dented=True), picture(rng, dented=False)
    assert np.abs(features(other) - found).sum() < np.abs(features(sound) - found).sum()


def test_a_picture_is_foretold_from_other_groups_only():
    """Pictures of one part are equal here, and their labels are drawn by lot: only a straddling group would help."""
    rng = np.random.default_rng(0)
    parts = np.repeat(np.arange(60), 4)
    labels = np.array(["dent", "good"])[rng.integers(0, 2, 60)][parts]
    said = foretold(rng.normal(size=(60, 12))[parts], labels.tolist(), [f"part {each}" for each in parts], 5, 0)
    right = np.array(said.labels)[said.shares.argmax(1)] == labels
    assert np.isfinite(said.shares).all()
    assert 0.2 < right.mean() < 0.8


def test_labels_of_too_few_groups_are_not_judged():
    labels = ["dent"] * 6 + ["good"] * 6 + ["rust"] * 4
    groups = [str(number) for number in range(12)] + ["r1", "r1", "r2", "r2"]
    table = np.random.default_rng(0).normal(size=(16, 3))
    said = foretold(table, labels, groups, 5, 0)
    assert said.labels == ("dent", "good")
    assert np.isnan(said.shares[12:]).all()
    assert np.isfinite(said.shares[:12]).all()
    assert said.shares[:12].sum(1) == pytest.approx(1)
    with pytest.raises(DataError, match="got dent"):
        foretold(table[:6], labels[:6], groups[:6], 5, 0)


def test_without_cleanlab_it_is_said_and_nothing_else_is_done(catalog):
    if cleanlab_version() is not None:
        pytest.skip("cleanlab is installed")
    found = doubts(catalog, VoteSettings())
    assert found.found is None
    assert INSTALL in found.note
    with pytest.raises(DataError, match="not installed"):
        suspects(["dent"], Foretold(("dent", "good"), np.array([[0.5, 0.5]])))


def test_wrong_labels_are_suspects(catalog):
    pytest.importorskip("cleanlab", reason=f"cleanlab is not installed ({INSTALL})")
    found = doubts(catalog, VoteSettings(join_lookalikes=False))
    assert found.found is not None
    assert found.note == "40 of 40 voted labels were judged from pictures of other groups."
    assert {each.place for each in found.found} == set(WRONG)
    assert [each.score for each in found.found] == sorted(each.score for each in found.found)
    assert all(each.proposed != catalog.entries[each.place].label for each in found.found)
    assert doubts(catalog, VoteSettings(join_lookalikes=False)) == found, "the same seed, the same suspects"


def test_too_few_to_judge_is_said(catalog):
    pytest.importorskip("cleanlab", reason=f"cleanlab is not installed ({INSTALL})")
    found = doubts(catalog.labelled("dent"), VoteSettings(join_lookalikes=False))
    assert found.found is None
    assert "suspects need two labels" in found.note
    assert doubts(catalog.with_entries(()), VoteSettings()).found is None
    assert doubts(catalog, VoteSettings(suspects=False)).found is None
