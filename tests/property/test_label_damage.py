"""Label files damaged in any way raise errors of our own tree, or none."""

import json
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import FlawsmithError
from flawsmith.data.checks import check
from flawsmith.data.image_io import write_image
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, detect, read_catalog

EXAMPLES = 60
SIZE_HW = (9, 12)
TABLE = {
    "images": [
        {"id": 1, "file_name": "a.png", "height": 9, "width": 12},
        {"id": "b", "file_name": "images/train/b.png"},
    ],
    "annotations": [
        {"image_id": 1, "category_id": 3, "segmentation": [[1, 1, 5, 1, 5.5, 5, 1, 5]], "bbox": [1, 1, 4, 4]},
        {"image_id": 1, "category_id": 3, "segmentation": {"size": [9, 12], "counts": "c03600000e1"}},
        {"image_id": "b", "category_id": 3, "segmentation": {"size": [9, 12], "counts": [10, 8, 90]}, "iscrowd": 1},
        {"image_id": "b", "category_id": 3, "bbox": [1, 1, 4, 4]},
    ],
    "categories": [{"id": 3, "name": "hole"}],
}
XML = (
    '<?xml version="1.0" encoding="utf-8"?><annotation><filename>a.png</filename><size><width>12</width>'
    "<height>9</height></size><object><name>hole</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax>"
    "<ymax>6</ymax></bndbox></object></annotation>"
)
SETS = {
    "coco": {"annotations/train.json": json.dumps(TABLE)},
    "yolo": {
        "data.yaml": "path: .\ntrain: images/train\nval: list.txt\nnames: {0: hole, 1: dent}\n",
        "list.txt": "images/val/c.png\n",
        "labels/train/a.txt": "0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.6 0.1 0.6 0.6\n",
    },
    "voc": {"Annotations/a.xml": XML, "ImageSets/Main/test.txt": "a\n"},
    "rle_csv": {"train.csv": 'ImageId,ClassId,EncodedPixels\na.png,1,3 4 20 5\n"b.png",2,\nc.png,2,1 1\n'},
}
ODD_WORDS = [
    "",
    "0",
    "-1",
    "1e999",
    "nan",
    "9" * 30,
    "1.5",
    "é",
    "\0",
    "..",
    "/",
    "\\",
    '"',
    "\n",
    "&x;",
    "<!DOCTYPE a>",
]
ODD_WORDS += [
    "{",
    "]",
    ":",
    "!!timestamp x",
    "*a",
    "&a",
    "- ",
    "null",
    "true",
    "'",
    ",",
    ";",
    "\ud800",
    "a" * 300,
    "::1",
]
ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD_WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner),
    max_leaves=6,
)
BYTE_DAMAGE = st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=2)), min_size=1, max_size=6)
WORD_DAMAGE = st.lists(st.tuples(st.integers(0, 2**20), st.sampled_from(ODD_WORDS)), min_size=1, max_size=3)


@pytest.fixture(scope="module", params=SETS)
def layout(request):
    return request.param


@pytest.fixture(scope="module")
def root(layout):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("train/a", "train/b", "val/c"):
            write_image(root / "images" / f"{name}.png", np.zeros((*SIZE_HW, 1), np.uint8))
        for name, text in SETS[layout].items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        yield root


def survives(root, layout, name, content):
    """Read the set with one file of other bytes; put the file back afterwards."""
    file = root / name
    before = file.read_bytes()
    try:
        file.write_bytes(content)
        for step in (lambda: detect(root), lambda: use(read_catalog(root, layout=layout))):
            with suppress(FlawsmithError):
                step()
    finally:
        file.write_bytes(before)


def use(catalog):
    problems = check(catalog)
    if not any(problem.severity == "error" for problem in problems):
        for entry in catalog:
            load_sample(entry)


def names_of(layout):
    return st.sampled_from(sorted(SETS[layout]))


def encoded(text):
    return text.encode("utf-8", errors="surrogatepass")


def test_the_sets_are_sound_before_they_are_damaged(root, layout):
    catalog = read_catalog(root)
    assert catalog.layout == layout
    assert sum(len(load_sample(entry).defects) for entry in catalog) == {"coco": 4, "yolo": 2, "voc": 1}.get(layout, 2)


def test_every_reader_of_label_files_is_tested():
    assert {name for name in READERS if getattr(READERS[name], "goes_by", "") == "labels"} == set(SETS)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_other_bytes(root, layout, data):
    name = data.draw(names_of(layout))
    content = bytearray(SETS[layout][name].encode())
    for place, new in data.draw(BYTE_DAMAGE):
        place %= len(content) + 1
        content[place : place + 1] = new
    survives(root, layout, name, bytes(content))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_other_words(root, layout, data):
    name = data.draw(names_of(layout))
    words = re.findall(r"[\w.-]+|\s+|[^\w\s]", SETS[layout][name])
    for place, new in data.draw(WORD_DAMAGE):
        words[place % len(words)] = new
    survives(root, layout, name, encoded("".join(words)))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_files_cut_off_or_repeated(root, layout, data):
    name = data.draw(names_of(layout))
    content = SETS[layout][name].encode()
    cut = data.draw(st.integers(0, len(content)))
    survives(root, layout, name, content[:cut] + content[data.draw(st.integers(0, len(content))) :])


def places_of(tree, above=()):
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield (*above, key)
        yield from places_of(value, (*above, key))


@pytest.mark.parametrize("layout", ["coco"], indirect=True)
@settings(max_examples=3 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(places_of(TABLE))), st.none() | st.tuples(ODD_VALUES))
def test_other_values_and_missing_keys_in_coco(root, layout, place, new):
    tree = json.loads(json.dumps(TABLE))
    inner = tree
    for key in place[:-1]:
        inner = inner[key]
    if new is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = new[0]
    survives(root, layout, "annotations/train.json", encoded(json.dumps(tree)))
