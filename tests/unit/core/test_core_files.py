"""Files are whole or absent; JSON has one spelling; hashes are those of the bytes."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.core.files import (
    read_json,
    sha256_file,
    sha256_json,
    sha256_tree,
    write_bytes,
    write_json,
    write_text,
    written_whole,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "model.bin"
    with written_whole(target) as beside:
        beside.write_bytes(b"half")
        assert not target.exists()
        assert beside.parent == target.parent
        inode = beside.stat().st_ino
    assert target.stat().st_ino == inode  # renamed, not copied: no moment with half a file
    assert target.read_bytes() == b"half"
    assert [path.name for path in target.parent.iterdir()] == ["model.bin"]


def test_an_error_leaves_nothing_new_and_the_old_untouched(tmp_path):
    target = tmp_path / "model.bin"

    def fail() -> None:
        with written_whole(target) as beside:
            beside.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    write_bytes(target, b"old")
    with pytest.raises(RuntimeError):
        fail()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "a.txt", "ü\nß\n")
    assert (tmp_path / "a.txt").read_bytes() == "ü\nß\n".encode()


@settings(max_examples=50)
@given(data=JSON)
def test_json_comes_back_and_has_one_spelling(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    write_json(folder / "a.json", data)
    assert read_json(folder / "a.json") == data
    write_json(folder / "b.json", read_json(folder / "a.json"))
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()


def test_the_order_of_names_does_not_count(tmp_path):
    one, other = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}
    assert sha256_json(one) == sha256_json(other)
    assert sha256_json(one) != sha256_json({"a": 1, "b": {"c": 2, "d": 4}})
    assert sha256_json([1, 2]) != sha256_json([2, 1])
    write_json(tmp_path / "1", one)
    write_json(tmp_path / "2", other)
    assert sha256_file(tmp_path / "1") == sha256_file(tmp_path / "2")


def test_hashes_are_the_standard_ones(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()
    text = json.dumps({"a": "ü"}, ensure_ascii=False, separators=(",", ":"))
    assert sha256_json({"a": "ü"}) == hashlib.sha256(text.encode()).hexdigest()


def test_a_tree_names_every_file_and_skips_those_told(tmp_path):
    for name in ("b.txt", "a/c.txt", "a/skip.json", "skip.json"):
        write_text(tmp_path / name, name)
    (tmp_path / "empty").mkdir()
    found = sha256_tree(tmp_path, skip=("skip.json",))
    assert found == {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a/c.txt", "b.txt")}
    assert list(found) == sorted(found)
