from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from flawsmith.core.errors import LeakError
from flawsmith.core.records import Catalog, Entry
from flawsmith.data import lookalikes
from flawsmith.data.lookalikes import fingerprint, fingerprints, join_groups, joined, measure
from flawsmith.proof.leaks import check_lookalikes


def part(seed: int, shared: float = 0.0) -> np.ndarray:
    """A grained surface under uneven light; `shared` is how much of its structure all parts have."""
    rng, same = np.random.default_rng(seed), np.random.default_rng(999)
    grain = gaussian_filter(rng.normal(size=(200, 240)), (4, 1.0))
    pattern = gaussian_filter(same.normal(size=(200, 240)), 2.0)
    structure = (1 - shared) * grain / grain.std() + shared * pattern / pattern.std()
    light = 120 + 60 * np.linspace(0, rng.uniform(-1, 1), 240)
    return np.clip(light + 12 * structure, 0, 255).astype(np.uint8)


def recompressed(grey: np.ndarray, quality: int) -> np.ndarray:
    kept = BytesIO()
    Pillow.fromarray(grey).save(kept, "JPEG", quality=quality)
    return np.asarray(Pillow.open(kept))


DISGUISES = {
    "mirrored and recompressed": lambda grey: recompressed(np.ascontiguousarray(grey[:, ::-1]), 60),
    "rescaled": lambda grey: np.asarray(Pillow.fromarray(grey).resize((150, 125), Pillow.Resampling.LANCZOS)),
    "turned and relit": lambda grey: np.clip(np.rot90(grey) * 1.15 + 6.0, 0, 255).astype(np.uint8),
    "stretched in contrast": lambda grey: np.clip((grey - 100.0) * 1.2 + 110, 0, 255).astype(np.uint8),
}


def entries(folder, pictures, prefix):
    found = []
    for number, grey in enumerate(pictures):
        path = folder / f"{prefix}{number}.png"
        Pillow.fromarray(grey).save(path)
        found.append(Entry(f"{prefix}/{number}", path, "good", f"{prefix}{number}"))
    return found


@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_test_image_in_disguise_is_named(tmp_path, disguise, shared):
    learnt = entries(tmp_path, [part(seed, shared) for seed in range(12)], "a")
    sealed = entries(
        tmp_path, [*(part(seed, shared) for seed in range(20, 26)), DISGUISES[disguise](part(5, shared))], "b"
    )
    with pytest.raises(LeakError) as caught:
        check_lookalikes(learnt, [], sealed)
    assert "1 images" in str(caught.value)
    assert "a5.png" in str(caught.value)
    assert "b6.png" in str(caught.value)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_a_synthetic_image_made_of_a_test_image_is_named(tmp_path, shared):
    learnt = entries(tmp_path, [part(seed, shared) for seed in range(12)], "a")
    sealed = entries(tmp_path, [part(seed, shared) for seed in range(20, 26)], "b")
    painted = part(22, shared)
    painted[80:100, 100:130] = 20
    with pytest.raises(LeakError, match=r"s0.png = .*b2.png"):
        check_lookalikes(learnt, entries(tmp_path, [painted], "s"), sealed)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_different_parts_of_one_product_are_no_leak(tmp_path, shared):
    learnt = entries(tmp_path, [part(seed, shared) for seed in range(12)], "a")
    sealed = entries(tmp_path, [part(seed, shared) for seed in range(20, 30)], "b")
    check_lookalikes(learnt, [], sealed)


def test_exposures_of_one_group_do_not_raise_the_limit(tmp_path):
    grown = [DISGUISES["stretched in contrast"](part(seed)) for seed in range(6)]
    learnt = entries(tmp_path, [*(part(seed) for seed in range(6)), *grown], "a")
    learnt = [Entry(each.id, each.image, each.label, f"g{number % 6}") for number, each in enumerate(learnt)]
    sealed = entries(tmp_path, [recompressed(part(3), 70)], "b")
    with pytest.raises(LeakError, match="2 images"):
        check_lookalikes(learnt, [], sealed)


def test_pictures_without_structure_are_alike_to_nothing(tmp_path):
    flat = [np.full((64, 64), value, np.uint8) for value in (10, 100, 200)]
    check_lookalikes(entries(tmp_path, flat, "a"), [], entries(tmp_path, flat, "b"))


@pytest.mark.parametrize("quick", [False, True])
def test_groups_that_show_one_part_are_joined_however_long_the_chain(quick):
    pictures = [part(seed) for seed in range(10)]
    pictures[7], pictures[9] = DISGUISES["rescaled"](pictures[2]), DISGUISES["turned and relit"](pictures[2])
    prints = np.stack([fingerprint(grey[..., None]) for grey in pictures])
    assert joined(prints, list("abcdefghij"), quick) == list("abcdefgcic")
    assert joined(prints, list("aabbccddee"), quick) == list("aabbccbbbb")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_what_has_been_joined_holds_no_lookalike_any_more(shared, quick):
    pictures = [part(seed % 17, shared) for seed in range(20)]
    prints = np.stack([fingerprint(recompressed(grey, 60 + n)[..., None]) for n, grey in enumerate(pictures)])
    groups = joined(prints, [str(n) for n in range(20)], quick)
    assert len(set(groups)) == 17
    assert all(groups[one] == groups[other] for one, other, _ in measure(prints, groups, quick).pairs(prints, prints))


def test_sketches_lead_to_the_pairs_that_full_comparison_finds(monkeypatch):
    monkeypatch.setattr(lookalikes, "BLOCK", 7)
    monkeypatch.setattr(lookalikes, "ROWS", 9)
    rng = np.random.default_rng(0)
    grain = rng.normal(size=(60, 96 * 96)).astype(np.float32)
    twins = [grain[place] + (0.3 + 0.02 * place) * rng.normal(size=96 * 96) for place in range(40)]
    views = [lookalikes.VIEWS[place % 8].of(twin.reshape(96, 96)) for place, twin in enumerate(twins)]
    prints = lookalikes.without(np.stack([*grain.reshape(-1, 96, 96), *views]).astype(np.float32), np.zeros((96, 96)))
    prints /= np.linalg.norm(prints, axis=(1, 2), keepdims=True)
    full, quick = (lookalikes.Lookalikes(np.zeros((96, 96), np.float32), 0.7, way) for way in (False, True))
    expected = full.pairs(prints, prints)
    assert 10 < len(expected) < 40
    assert all(other == 60 + one for one, other, _ in expected)
    assert [pair[:2] for pair in quick.pairs(prints, prints)] == [pair[:2] for pair in expected]
    apart = full.pairs(prints[:60], prints[60:])
    assert [(one, other + 60) for one, other, _ in apart] == [pair[:2] for pair in expected]
    assert [pair[:2] for pair in quick.pairs(prints[:60], prints[60:])] == [pair[:2] for pair in apart]


def test_blocks_change_nothing(monkeypatch):
    prints = np.stack([fingerprint(part(seed % 10, 0.5)[..., None]) for seed in range(12)])
    groups = [str(number) for number in range(12)]
    whole = measure(prints, groups)
    monkeypatch.setattr(lookalikes, "BLOCK", 5)
    parts = measure(prints, groups)
    assert parts.limit == pytest.approx(whole.limit, abs=1e-5)
    assert [pair[:2] for pair in whole.pairs(prints, prints)] == [(0, 10), (1, 11)]
    assert [pair[:2] for pair in parts.pairs(prints, prints)] == [(0, 10), (1, 11)]


def test_fingerprints_of_very_many_are_the_same_but_for_rounding(tmp_path, monkeypatch):
    found = entries(tmp_path, [part(seed) for seed in range(4)], "a")
    few = fingerprints(found)
    monkeypatch.setattr(lookalikes, "MANY", 3)
    many = fingerprints(found)
    assert isinstance(many, np.memmap)
    np.testing.assert_allclose(many, few, atol=1e-4)
    assert joined(many, list("abcd")) == list("abcd")


def test_a_catalog_is_joined_whatever_the_order_of_its_entries(tmp_path):
    found = entries(tmp_path, [*(part(seed) for seed in range(5)), DISGUISES["rescaled"](part(1))], "a")
    groups = {}
    for order in (found, found[::-1]):
        catalog = join_groups(Catalog("demo", tmp_path, "folder", tuple(order)))
        assert [entry.id for entry in catalog] == [entry.id for entry in order]
        groups[len(groups)] = {entry.id: entry.group for entry in catalog}
    assert groups[0] == groups[1]
    assert groups[0]["a/5"] == groups[0]["a/1"] == "a1"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_fingerprint_is_one_size_and_unit_length(depth, channels):
    grey = part(0).astype(depth) * (257 if depth == np.uint16 else 1)
    found = fingerprint(np.repeat(grey[..., None], channels, 2))
    assert found.shape == (96, 96)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(found, fingerprint(part(0)[..., None]), atol=1e-4)
