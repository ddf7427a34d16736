"""Tables and paths that strangers wrote."""

import pytest

from flawsmith.core.errors import DataError
from flawsmith.data.readers.tables import columns_of, path_inside, read_table


@pytest.fixture
def table(tmp_path):
    def write(content):
        (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "t.csv"

    return write


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(table, mark, delimiter, end):
    lines = [("Image ", "LABEL"), ('"a b, 1;2.png"', " dent "), ("", ""), ("ä.png",)]
    file = table(mark + end.join(delimiter.join(cells) for cells in lines))
    found = read_table(file)
    assert found.columns == columns_of(file) == ("image", "label")
    assert [row.cells for row in found.rows] == [
        {"image": "a b, 1;2.png", "label": "dent"},
        {"image": "ä.png", "label": ""},
    ]
    assert [row.place for row in found.rows] == [f"{file}, line 2", f"{file}, line 4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\nKr\xe4tzer.png,x\n", r"t\.csv is not UTF-8 text \(byte 14\)"),
        ("image,label\na,b\na,b,c\n", r"line 3: 3 cells under 2 columns"),
        ("image,Image\n", "two columns are called 'image'"),
        ('image,label\na.png,"dent\nb.png,x\n', r"line 3: not a table"),
        ("image\n" + "x" * 200_000, r"line \d: not a table"),
    ],
)
def test_what_is_no_table_is_refused(table, content, message):
    with pytest.raises(DataError, match=message):
        read_table(table(content))


def test_an_empty_file_has_no_columns_and_no_rows(table):
    assert read_table(table("")) == ((), [])
    assert columns_of(table("\n")) == ()
    assert columns_of(table("").with_name("missing.csv")) == ()
    with pytest.raises(DataError, match=r"missing\.csv cannot be read"):
        read_table(table("").with_name("missing.csv"))


def test_columns_are_seen_where_the_rest_is_no_utf8(table):
    assert columns_of(table(b"image;label\nKr\xe4tzer.png;x\n")) == ("image", "label")


def test_paths_inside(tmp_path, monkeypatch):
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/ü 1.png").touch()
    root = tmp_path / "data"
    for name in ("a/ü 1.png", "./a//ü 1.png", "a\\ü 1.png", str(root / "a/ü 1.png")):
        assert path_inside(root, name, "here") == root / "a/ü 1.png"
    monkeypatch.chdir(tmp_path)
    relative = path_inside(root.relative_to(tmp_path), str(root / "a/ü 1.png"), "here")
    assert relative == root.relative_to(tmp_path) / "a/ü 1.png"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.png", "expected a path inside"),
        ("a/../../secret.png", "expected a path inside"),
        ("a\\..\\..\\secret.png", "expected a path inside"),
        ("{outside}/secret.png", "expected a path inside"),
        ("/secret.png", "expected a path inside"),
        ("a/none.png", "there is no file 'a/none.png'"),
        ("a", "there is no file"),
        ("C:/none.png", "expected a path inside"),
        ("nul\0.png", "there is no file"),
        ("long" * 2000, "there is no file"),
    ],
)
def test_paths_that_leave_or_lead_nowhere_are_refused(tmp_path, name, message):
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "secret.png").touch()
    with pytest.raises(DataError, match=f"^list.csv, line 7(: | names ).*({message})"):
        path_inside(tmp_path / "data", name.format(outside=tmp_path), "list.csv, line 7")
