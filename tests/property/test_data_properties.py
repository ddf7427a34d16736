"""What holds for any image and any catalog."""

import string
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flawsmith.core.errors import DataError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.data.image_io import image_size_hw, read_image, read_metadata, write_image
from flawsmith.data.natural import natural_key
from flawsmith.data.splits import SplitSettings, split, summary

KEYWORDS = st.text(string.ascii_letters + "äß", min_size=1, max_size=20)
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=50)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
IMAGES = st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays(dtype, SHAPES))


@settings(max_examples=40, deadline=None)
@given(IMAGES, st.dictionaries(KEYWORDS, TEXTS, max_size=3), st.sampled_from([".png", ".tif"]))
def test_pixels_and_texts_survive_any_image(image, texts, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write_image(path, image, texts if suffix == ".png" else None)
        again = read_image(path)
        assert again.dtype == image.dtype
        np.testing.assert_array_equal(again, image)
        assert image_size_hw(path) == image.shape[:2]
        assert read_metadata(path) == (texts if suffix == ".png" else {})


@st.composite
def catalogs(draw):
    row = st.tuples(st.sampled_from([GOOD, "a", "b", "c"]), st.integers(0, 25))
    rows = draw(st.lists(row, min_size=8, max_size=60))
    return [(f"{label}/{number}", label, str(group)) for number, (label, group) in enumerate(rows)]


@settings(max_examples=60, deadline=None)
@given(
    catalogs(),
    st.sampled_from(["grouped", "first_third"]),
    st.one_of(st.none(), st.integers(1, 4)),
    st.integers(0, 3),
    st.floats(0.2, 0.8),
    st.sampled_from(["test", "spare"]),
)
def test_a_split_is_a_partition_by_group_within_its_budget(rows, method, shots, seed, test_share, surplus):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        entries = []
        for id, label, group in rows:
            path = root / f"{id.replace('/', '-')}.png"
            path.write_text(id)
            entries.append(Entry(id, path, label, group))
        plain = SplitSettings(method=method, shots=shots, seed=seed, test_share=test_share)
        wanted = plain.model_copy(update={"surplus": surplus if shots else "test"})
        try:
            catalog = Catalog("any", root, "folder", tuple(entries))
            splits, whole = split(catalog, wanted), split(catalog, plain.model_copy(update={"shots": None}))
        except DataError:
            assume(False)
    parts = list(splits.parts.values())
    assert sorted(entry.id for part in parts for entry in part) == sorted(id for id, _, _ in rows)
    sides = defaultdict(set)
    for name, part in splits.parts.items():
        for entry in part:
            sides[entry.group].add(name)
    assert all(len(found) == 1 for found in sides.values())
    for row in summary(splits):
        assert row["train_groups"] >= 1
        assert row["test_groups"] >= 1
        if shots is not None and row["class"] != GOOD:
            assert row["train_groups"] + row["val_groups"] <= shots
    if splits.spare is not None:
        assert splits.spare.defect_labels
        assert set(splits.test) == set(whole.test), "a budget whose surplus is set aside leaves the test as it was"


@given(st.lists(st.integers(0, 10**6)))
def test_natural_order_is_the_order_of_numbers(numbers):
    assert sorted((f"a{number}" for number in numbers), key=natural_key) == [f"a{number}" for number in sorted(numbers)]
