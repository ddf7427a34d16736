"""The layout csv: columns, defaults, and what is refused."""

import pytest

from flawsmith.core.errors import DataError, LayoutError
from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD
from flawsmith.data.image_io import write_mask
from flawsmith.data.readers import detect, read_catalog
from layout_examples import SPOT, folder, photos


@pytest.fixture
def root(tmp_path):
    photos(tmp_path, "0.png", "a/1.png", "a/2.png", "b/2.png")
    write_mask(tmp_path / "a/1_mask.png", SPOT)
    return tmp_path


def seen(catalog):
    return [
        (entry.id, entry.label, [mask.path.name for mask in entry.masks], entry.group, entry.split) for entry in catalog
    ]


def test_all_columns(root):
    rows = ["path;split;mask;Class;group;note", "a/1.png;val;a/1_mask.png;dent;p1;x", "b\\2.png;TEST;;OK;p1;"]
    write_text(root / "labels.CSV", "\ufeff" + "\n".join([*rows, "0.png;;;hole;;y"]))
    assert detect(root) == "csv"
    assert seen(read_catalog(root)) == [
        ("a/1", "dent", ["1_mask.png"], "p1", "train"),
        ("b/2", GOOD, [], "p1", "test"),
        ("0", "hole", [], "0", None),
    ]


def test_without_labels_a_mask_makes_the_defect(root):
    write_text(root / "t.tsv", "filename\tmask_path\na/1.png\ta/1_mask.png\n0.png\t\n")
    assert [row[:3] for row in seen(read_catalog(root))] == [("a/1", "defect", ["1_mask.png"]), ("0", GOOD, [])]


def test_a_table_wins_over_folders_but_must_have_labels_or_masks(tmp_path):
    folder(tmp_path)
    write_text(tmp_path / "groups.csv", "file,group,label\n")
    write_text(tmp_path / "sizes.csv", "file,width\ngood/0.png,12\n")
    assert detect(tmp_path) == "folder"
    write_text(tmp_path / "sizes.csv", "file,label\ngood/0.png,ok\n")
    assert detect(tmp_path) == "csv"
    assert len(read_catalog(tmp_path)) == 1


def test_a_table_of_run_lengths_is_no_table_of_paths(root):
    write_text(root / "train.csv", "image,class,EncodedPixels\n0.png,1,3 4\n")
    assert detect(root) == "pairs"


def test_a_table_of_images_alone_is_read_by_name_as_good_parts(root):
    write_text(root / "list.csv", "image\n0.png\n")
    assert seen(read_catalog(root, layout="csv")) == [("0", GOOD, [], "0", None)]


def test_groups_csv_still_counts(root):
    write_text(root / "list.csv", "image,label,group\n0.png,ok,x\na/1.png,dent,y\n")
    write_text(root / "groups.csv", "file,group\na/1.png,z\n")
    assert [entry.group for entry in read_catalog(root)] == ["x", "z"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\n0.png,ok\n../0.png,ok\n", r"list\.csv, line 3 names .*expected a path inside"),
        ("image,label\n/etc/0.png,ok\n", r"list\.csv, line 2 names .*expected a path inside"),
        ("image,label,mask\n0.png,dent,../m.png\n", r"line 2 names .*expected a path inside"),
        ("image,label\n7.png,ok\n", r"line 2: there is no file '7\.png'"),
        ("image,label\n,ok\n", r"line 2 names '': expected a path inside"),
        ("image,label\n0.png,\n", r"line 2: no label"),
        ("image,label,split\n0.png,ok,holdout\n", r"line 2: unknown split 'holdout'"),
        ("image,label\n0.png,ok\n\n./0.png,dent\n", r"line 4: .*0\.png stands in .*line 2 already"),
    ],
)
def test_wrong_lines_are_named(root, text, message):
    write_text(root / "list.csv", text)
    assert detect(root) == "csv"
    with pytest.raises(DataError, match=message):
        read_catalog(root)


def test_a_table_that_is_no_utf8_is_named(root):
    (root / "list.csv").write_bytes("image,label\n0.png,Kratzer groß\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"list\.csv is not UTF-8"):
        read_catalog(root)


def test_two_tables_are_one_too_many(root):
    for name in ("a.csv", "b.csv"):
        write_text(root / name, "image,label\n0.png,ok\n")
    with pytest.raises(LayoutError, match=r"2 tables of images \(a\.csv, b\.csv\)"):
        read_catalog(root, layout="csv")
    assert detect(root) == "pairs"
