"""Every registered layout: its example is recognised as itself alone, read, loaded, and explained to people."""

import json

import numpy as np
import pytest

from flawsmith.core.records import GOOD, Catalog
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, read_catalog
from flawsmith.data.readers.layouts import layout, layouts
from flawsmith.data.readers.opening import recognised
from layout_examples import EXAMPLES, SPOT


@pytest.fixture(params=list(READERS))
def example(request, tmp_path):
    assert request.param in EXAMPLES, f"add a small example of {request.param!r} to tests/layout_examples.py"
    EXAMPLES[request.param](tmp_path)
    return request.param, tmp_path


def test_exactly_one_reader_recognises_an_example(example):
    name, root = example
    assert recognised(root) == [name]


def test_an_example_gives_good_parts_and_scratches_with_their_masks(example):
    name, root = example
    catalog = read_catalog(root)
    assert catalog.layout == name
    assert {entry.label for entry in catalog} == {GOOD, "scratch"}
    for entry in catalog:
        sample = load_sample(entry)
        assert [defect.label for defect in sample.defects] == ([] if entry.label == GOOD else ["scratch"])
        np.testing.assert_array_equal(sample.mask, SPOT & (entry.label != GOOD))


def test_a_catalog_survives_json(example):
    catalog = read_catalog(example[1])
    assert Catalog.from_json(json.loads(json.dumps(catalog.to_json()))) == catalog


@pytest.mark.parametrize("name", list(READERS))
def test_a_layout_is_explained(name):
    found = layout(name)
    assert 20 < len(found.summary) <= 120
    assert len(found.example.splitlines()) > 3
    assert found.example.splitlines()[0].endswith("/")
    assert found in layouts()
