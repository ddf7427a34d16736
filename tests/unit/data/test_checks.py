"""Each kind of problem, put there on purpose."""

import numpy as np

from flawsmith.core.files import write_text
from flawsmith.data.checks import check
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.readers import read_catalog


def make(root):
    for number in range(9):
        label = ("good", "hole", "dent")[number // 3]
        write_image(root / label / f"{number}.png", np.full((6, 8, 1), number, np.uint8))
        if label != "good":
            write_mask(root / "masks" / label / f"{number}.png", np.eye(6, 8, dtype=bool))


def found(root):
    return [(problem.kind, problem.severity, problem.file.name) for problem in check(read_catalog(root))]


def test_a_sound_set_has_no_problem(tmp_path):
    make(tmp_path)
    assert found(tmp_path) == []


def test_every_kind_is_found_and_names_its_file(tmp_path):
    make(tmp_path)
    (tmp_path / "good/0.png").write_bytes((tmp_path / "good/0.png").read_bytes()[:40])
    write_mask(tmp_path / "masks/hole/3.png", np.zeros((6, 8), bool))
    write_mask(tmp_path / "masks/hole/4.png", np.ones((8, 6), bool))
    (tmp_path / "masks/hole/5.png").write_text("no image")
    write_image(tmp_path / "masks/dent/6.png", np.ones((6, 8, 1), np.uint8))
    (tmp_path / "good/2.png").write_bytes((tmp_path / "dent/7.png").read_bytes())
    write_text(tmp_path / "groups.csv", "file,group\nhole/4.png,one\ndent/8.png,one\nhole/5.png,one\n")
    assert found(tmp_path) == [
        ("empty_mask", "warning", "6.png"),
        ("unreadable", "error", "0.png"),
        ("empty_mask", "warning", "3.png"),
        ("mask_size", "error", "4.png"),
        ("unreadable", "error", "5.png"),
        ("few_groups", "warning", tmp_path.name),
        ("identical_files", "warning", "7.png"),
        ("mixed_group", "note", "8.png"),
    ]


def test_messages_help(tmp_path):
    make(tmp_path)
    write_image(tmp_path / "masks/dent/6.png", np.ones((6, 8, 1), np.uint8))
    (problem,) = check(read_catalog(tmp_path))
    assert "brightest pixel is 1, below the threshold 128" in problem.message
    assert "dent/6" in problem.message


def test_the_same_file_in_two_groups_of_one_class(tmp_path):
    make(tmp_path)
    (tmp_path / "hole/3.png").write_bytes((tmp_path / "hole/4.png").read_bytes())
    assert found(tmp_path) == [("identical_files", "warning", "3.png")]
    write_text(tmp_path / "groups.csv", "file,group\nhole/3.png,one\nhole/4.png,one\n")
    assert found(tmp_path) == [("few_groups", "warning", tmp_path.name)]
