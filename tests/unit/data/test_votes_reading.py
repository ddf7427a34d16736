"""What inspectors' tables and masks are read as, and what is refused."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError, ImageError
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.votes.ballots import list_images, read_ballots
from flawsmith.data.votes.tables import NamedBox, read_votes

IMAGES = ("a/1.png", "a/2.png", "b/1.png", "b/only.png")


@pytest.fixture
def root(tmp_path):
    for name in IMAGES:
        write_image(tmp_path / "set" / name, np.zeros((20, 30, 1), np.uint8))
    return tmp_path / "set"


def table(tmp_path, text, name="anna.csv"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def ballots(root, *given):
    images = list_images(root, (path for _, path in given))
    return read_ballots(images, root, given)


def marks(folder, name, *rows):
    mask = np.zeros((20, 30), bool)
    mask[list(rows)] = True
    write_mask(folder / name, mask)


def test_images_are_called_by_their_path_and_mask_folders_are_left_out(root):
    marks(root / "by anna", "a/1.png", 3)
    marks(root / "masks", "a/1.png", 3)
    assert tuple(list_images(root, [root / "by anna"])) == IMAGES


def test_a_table_names_images_in_several_ways(root, tmp_path):
    text = "file;label\na/1.png;Scratch\nb/1;OK\nonly;dent\n\na/2.png;\n"
    votes = read_votes(table(tmp_path, text), root, IMAGES)
    assert votes.labels == {"a/1.png": "Scratch", "b/1.png": "good", "b/only.png": "dent"}, "no label is no vote"
    assert votes.boxes is None


def test_boxes_stand_in_a_row_each(root, tmp_path):
    text = "image,class,x1,y1,x2,y2\nonly,dent,1,2,3,4.5\nonly,crack,5,5,9,9\na/1.png,good,,,,\na/2.png,dent,,,,\n"
    votes = read_votes(table(tmp_path, text), root, IMAGES)
    assert votes.labels == {"b/only.png": "crack + dent", "a/1.png": "good", "a/2.png": "dent"}
    boxes = (NamedBox("dent", (1.0, 2.0, 3.0, 4.5)), NamedBox("crack", (5.0, 5.0, 9.0, 9.0)))
    assert votes.boxes == {"b/only.png": boxes, "a/1.png": (), "a/2.png": ()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na/1.png,dent\n", "expected one column file or image, got name, label"),
        ("file,label\n1.png,dent\n", "line 2: '1.png' may be 'a/1.png' or 'b/1.png'"),
        ("file,label\nc/1.png,dent\n", "line 2: there is no image 'c/1.png'"),
        ("file,label\n../secret.png,dent\n", "expected a path inside"),
        ("file,label\na/1.png,dent\na/1.png,dent\n", "'a/1.png' is told twice, in .*line 2 and .*line 3"),
        ("file,label,x1,y1\na/1.png,dent,1,2\n", "boxes need the columns x1, y1, x2, y2, got only x1, y1"),
        ("file,label,x1,y1,x2,y2\na/1.png,dent,1,2,3,\n", "line 2: a box is four numbers"),
        ("file,label,x1,y1,x2,y2\na/1.png,dent,1,2,1,4\n", "line 2: expected x1 < x2 and y1 < y2"),
        ("file,label,x1,y1,x2,y2\na/1.png,dent,1,2,nan,4\n", "line 2: expected x1 < x2 and y1 < y2"),
        ("file,label,x1,y1,x2,y2\na/1.png,dent,1,2,inf,4\n", "line 2: expected x1 < x2 and y1 < y2"),
        ("file,label,x1,y1,x2,y2\na/1.png,ok,1,2,3,4\n", "line 2: a box without the name of a defect"),
        ("file,label,x1,y1,x2,y2\na/1.png,,1,2,3,4\n", "line 2: a box without the name of a defect"),
        ("file,label,x1,y1,x2,y2\na/1.png,dent,1,2,3,4\na/1.png,dent,,,,\n", "'a/1.png' is told twice"),
    ],
)
def test_what_a_table_must_not_say(root, tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_votes(table(tmp_path, text), root, IMAGES)


def test_masks_vote_by_what_they_mark(root, tmp_path):
    for who, row in (("anna", 3), ("ben", 4)):
        marks(tmp_path / who, "a/1_mask.png", row)
        marks(tmp_path / who, "b/only.png")
    anna, ben = ballots(root, ("anna", tmp_path / "anna"), ("ben", tmp_path / "ben"))
    assert anna.labels == ben.labels == {"a/1.png": "defect", "b/only.png": "good"}
    assert anna.masks["a/1.png"] == tmp_path / "anna/a/1_mask.png"
    assert anna.boxes is None


def test_a_table_and_masks_of_one_inspector_go_together(root, tmp_path):
    file = table(tmp_path, "file,label\na/1.png,dent\na/2.png,dent\nonly,good\n")
    other = table(tmp_path, "file,label\na/1.png,dent\n", "ben.csv")
    marks(tmp_path / "anna", "a/1.png", 3)
    marks(tmp_path / "anna", "a/2.png")
    marks(tmp_path / "anna", "b/only.png")
    anna, _ = ballots(root, ("anna", file), ("ben", other), ("anna", tmp_path / "anna"))
    assert anna.labels == {"a/1.png": "dent", "a/2.png": "dent", "b/only.png": "good"}
    assert set(anna.masks) == {"a/1.png", "b/only.png"}, "nothing marked says not where the dent is"


def test_masks_that_cannot_be_used(root, tmp_path):
    file, folder = table(tmp_path, "file,label\na/1.png,good\n"), tmp_path / "anna"
    given = [("anna", folder), ("ben", file)]
    write_image(folder / "a/1.png", np.full((20, 30, 1), 1, np.uint8))
    with pytest.raises(DataError, match="marks nothing, but holds values up to 1"):
        ballots(root, *given)
    write_mask(folder / "a/1.png", np.ones((20, 20), bool))
    with pytest.raises(ImageError, match="masks have the size of their image"):
        ballots(root, *given)
    marks(folder, "a/1.png", 3)
    with pytest.raises(DataError, match=r"anna: 1 images are 'good' in the table but marked in a mask \(a/1.png\)"):
        ballots(root, *given, ("anna", table(tmp_path, "file,label\na/1.png,good\n", "c.csv")))
    marks(folder, "a/9.png", 3)
    with pytest.raises(DataError, match=r"1 masks of no image, for example .*9\.png"):
        ballots(root, *given)


def test_masks_alone_do_not_vote_against_names(root, tmp_path):
    marks(tmp_path / "anna", "a/1.png", 3)
    file = table(tmp_path, "file,label\na/1.png,dent\n")
    with pytest.raises(DataError, match="others say 'dent': give a table for 'anna'"):
        ballots(root, ("anna", tmp_path / "anna"), ("ben", file))


def test_a_vote_needs_two_inspectors_who_are_there(root, tmp_path):
    file = table(tmp_path, "file,label\na/1.png,dent\n")
    with pytest.raises(DataError, match="at least two inspectors, got anna"):
        ballots(root, ("anna", file))
    with pytest.raises(DataError, match=r"ben: there is no .*gone\.csv"):
        ballots(root, ("anna", file), ("ben", tmp_path / "gone.csv"))
    with pytest.raises(DataError, match="anna: 2 tables and 0 folders"):
        ballots(root, ("anna", file), ("anna", file), ("ben", file))


def test_links_that_lead_out_are_not_followed(root, tmp_path):
    write_image(tmp_path / "secret.png", np.zeros((20, 30, 1), np.uint8))
    (root / "a/link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="leads out of"):
        list_images(root)
    (root / "a/link.png").unlink()
    (tmp_path / "anna/a").mkdir(parents=True)
    (tmp_path / "anna/a/1.png").symlink_to(tmp_path / "secret.png")
    file = table(tmp_path, "file,label\na/1.png,good\n")
    with pytest.raises(DataError, match="leads out of"):
        ballots(root, ("anna", tmp_path / "anna"), ("ben", file))
