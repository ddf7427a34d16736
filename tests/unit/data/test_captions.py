"""Caption files: written, read back, and refused with file and line."""

import pytest

from flawsmith.core.errors import DataError
from flawsmith.data.coordinates import Caption, read_caption, read_captions, write_captions


def test_what_is_written_is_read_back(tmp_path):
    captions = {
        "scratch/2": Caption(0.0, 12.25, "scratch"),
        "scratch/10": Caption(3.5, 0.01, "dirt, dark"),
        "Kratzer groß/a.b": Caption(-1.0, 7.0, "Kratzer groß"),
    }
    write_captions(tmp_path, captions)
    assert (tmp_path / "scratch/2.txt").read_text() == "0.00, 12.25, scratch\n"
    found = read_captions(tmp_path)
    assert found == captions
    assert list(found) == ["Kratzer groß/a.b", "scratch/2", "scratch/10"]


@pytest.mark.parametrize(
    "text", ["3,4,dent", " 3.0 ,4. , dent ", "\ufeff3, 4, dent\r\n", "\n\n3e0,\t4,dent\n\n", "3.00,4.000,dent"]
)
def test_spaces_decimals_and_line_ends_do_not_matter(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, newline="")
    assert read_caption(tmp_path / "a.txt") == Caption(3, 4, "dent")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty, expected a line `x, y, name`"),
        ("\n3 4 dent", r"line 2: got '3 4 dent', expected `x, y, name` with two commas"),
        ("3, dent", "line 1: got '3, dent'"),
        ("3, four, dent", "line 1: .*could not convert"),
        ("3, 4,  ", "line 1: .*name is one line"),
        ("nan, 4, dent", "line 1: .*x and y are numbers"),
        ("3, 4, dent\n\n5, 6, dent", "line 3: a second caption"),
        (b"3, 4, Kr\xe4tzer", "not UTF-8"),
    ],
)
def test_what_is_no_caption_is_named_by_file_and_line(tmp_path, text, message):
    (tmp_path / "a.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=rf"a\.txt.*{message}"):
        read_caption(tmp_path / "a.txt")


def test_nothing_outside_the_folder_is_read_or_written(tmp_path):
    (tmp_path / "secret.txt").write_text("1, 2, secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DataError, match="leads outside"):
        read_captions(tmp_path / "in")
    for id in ("../b", "/b"):
        with pytest.raises(DataError, match="relative path"):
            write_captions(tmp_path / "in", {id: Caption(1, 2, "x")})
    assert sorted(path.name for path in tmp_path.rglob("*.txt")) == ["a.txt", "secret.txt"]


def test_a_folder_without_captions(tmp_path):
    with pytest.raises(DataError, match="holds no captions"):
        read_captions(tmp_path)


@pytest.mark.parametrize("name", ["", " dent", "a\nb"])
def test_names_that_would_not_come_back(name):
    with pytest.raises(DataError, match="one line without outer spaces"):
        Caption(1, 2, name)
