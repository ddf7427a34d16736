"""Damaged data sets of every layout: a reader reads them or raises an error of our own tree, nothing else."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flawsmith.core.errors import FlawsmithError
from flawsmith.data.checks import check
from flawsmith.data.readers import READERS, read_catalog
from flawsmith.data.readers.class_names import class_colours, class_numbers
from flawsmith.data.readers.tables import columns_of, path_inside, read_table
from layout_examples import EXAMPLES

TOKENS = [b",", b";", b"\t", b"\n", b"\r", b'"', b"..", b"/", b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b"0", b"-1"]
TOKENS += [b"image", b"label", b"mask", b"split", b"good", b"255", b"#", b":", b"{", b"[", b"photos/0.png"]
TEXTS = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)), max_size=30).map(b"".join)


@st.composite
def damages(draw):
    """A way to damage bytes: cut off, overwritten, something put in, or replaced."""
    kind, where = draw(st.sampled_from(["cut", "overwrite", "insert", "replace"])), draw(st.floats(0, 1))
    piece = draw(TEXTS)

    def damaged(content):
        start = int(where * len(content))
        ends = {"cut": b"", "overwrite": piece + content[start + len(piece) :], "insert": piece + content[start:]}
        return piece if kind == "replace" else content[:start] + ends[kind]

    return damaged


def outcome(work, *arguments):
    """Return what a call gives, or the error of our own tree that it raises; any other error fails the test."""
    try:
        return work(*arguments)
    except FlawsmithError as error:
        return error


@pytest.mark.parametrize("name", [name for name in READERS if name in EXAMPLES])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), damages())), min_size=1, max_size=3))
def test_a_damaged_data_set_gives_our_errors_only(name, planned):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        EXAMPLES[name](root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        for number, damage in planned:
            path = files[number % len(files)]
            if damage is None:
                path.unlink(missing_ok=True)
            elif path.is_file():
                path.write_bytes(damage(path.read_bytes()))
        for layout in (name, None):
            found = outcome(read_catalog, root, layout)
            if isinstance(found, FlawsmithError):
                assert folder in str(found)
            else:
                assert isinstance(check(found), list)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_is_a_table_or_an_error_of_ours(content):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_bytes(content)
        columns_of(file)
        table = outcome(read_table, file)
        if isinstance(table, FlawsmithError):
            assert "t.csv" in str(table)
        else:
            assert all(set(row.cells) == set(table.columns) for row in table.rows)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["classes.txt", "classes.json", "labels.txt", "colours.csv", "labelmap.txt"]))
def test_any_text_names_classes_or_is_an_error_of_ours(content, name):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        for named in (class_numbers, class_colours):
            found = outcome(named, [Path(folder)])
            if isinstance(found, FlawsmithError):
                assert name in str(found)
            else:
                assert all(0 <= value < 2**24 and label for value, label in (found or {}).items())


PARTS = st.sampled_from(["..", ".", "", "a", "~", "C:", "..\\", "\\..", "\0"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=4).map("/".join))
def test_no_path_leaves_the_folder(name):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        (root / "a").mkdir(parents=True)
        for place in (root.parent, root, root / "a"):
            (place / "secret.png").touch()
        found = outcome(path_inside, root, f"{name}/secret.png", "here")
        assert isinstance(found, FlawsmithError) or found.resolve().is_relative_to(root.resolve())
