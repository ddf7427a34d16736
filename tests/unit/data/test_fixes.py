"""The cleaned copy: what changes, what does not, and that it can be read again."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from flawsmith.core.errors import DataError
from flawsmith.core.files import sha256_tree, write_text
from flawsmith.data.checks import check
from flawsmith.data.fixes import FIXED_FILE, fix
from flawsmith.data.image_io import image_head, read_image, write_image, write_mask
from flawsmith.data.readers import read_catalog

SIZE = (24, 30)
MASK = np.zeros(SIZE, bool)
MASK[5:12, 6:20] = True


def picture(seed, channels=1):
    return np.random.default_rng(seed).integers(40, 200, (*SIZE, channels), np.uint8)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    for label, first in (("good", 0), ("hole", 100)):
        for number in range(4):
            write_image(folder / label / f"{number}.png", picture(first + number))
            if label != "good":
                write_mask(folder / "masks" / label / f"{number}.png", MASK)
    write_text(folder / "read me.txt", "taken in May")
    return folder


def fixed(root, out):
    catalog = read_catalog(root)
    changes = fix(catalog, check(catalog), out)
    with (out / FIXED_FILE).open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [[each.file, each.change, each.reason] for each in changes]
    return {(each.file, each.change, each.reason) for each in changes}


def test_a_sound_set_is_copied_byte_for_byte(root, tmp_path):
    assert fixed(root, tmp_path / "out") == set()
    assert sha256_tree(tmp_path / "out", skip=(FIXED_FILE,)) == sha256_tree(root)


def test_what_cannot_be_used_is_left_out_with_its_mask(root, tmp_path):
    before = (root / "good/0.png").read_bytes()
    (root / "good/0.png").write_bytes(before[:-60])
    (root / "hole/1.png").write_text("no image")
    write_mask(root / "masks/hole/2.png", MASK.T)
    (root / "good/lost.png").symlink_to(root / "nowhere.png")
    write_image(tmp_path / "elsewhere.png", picture(900))
    (root / "good/out.png").symlink_to(tmp_path / "elsewhere.png")
    originals = sha256_tree(root)
    assert fixed(root, tmp_path / "out") == {
        ("good/0.png", "left out", "truncated"),
        ("good/out.png", "left out", "link_outside"),
        ("good/lost.png", "left out", "broken_link"),
        ("hole/1.png", "left out", "unreadable"),
        ("masks/hole/1.png", "left out", "unreadable"),
        ("hole/2.png", "left out", "mask_size"),
        ("masks/hole/2.png", "left out", "mask_size"),
    }
    assert sha256_tree(root) == originals
    copy = read_catalog(tmp_path / "out")
    assert [entry.id for entry in copy] == ["good/1", "good/2", "good/3", "hole/0", "hole/3"]
    assert not [problem for problem in check(copy) if problem.severity == "error"]


def test_stored_colours_and_rotation_are_settled_without_changing_what_is_read(root, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = Image.fromarray(picture(901, 3))
    colour.convert("P").save(root / "good/palette.png")
    colour.convert("RGBA").save(root / "good/alpha.tif")
    Image.fromarray(picture(902)[..., 0]).convert("LA").save(root / "good/grey.png")
    colour.resize((60, 48)).convert("CMYK").save(root / "good/cmyk.jpg", quality=95)
    colour.resize((60, 48)).save(root / "good/turned.jpg", exif=exif, quality=95)
    colour.save(root / "good/flat.bmp")
    names = {"palette.png": "palette", "alpha.tif": "alpha", "grey.png": "alpha"}
    names |= {"cmyk.jpg": "cmyk", "turned.jpg": "exif_rotation"}
    out = tmp_path / "out"
    assert fixed(root, out) == {(f"good/{name}", "written anew", kind) for name, kind in names.items()}
    for name in names:
        old, new = read_image(root / "good" / name).astype(int), read_image(out / "good" / name).astype(int)
        assert old.shape == new.shape
        assert np.abs(old - new).max() <= (4 if name.endswith("jpg") else 0)
        head = image_head(out / "good" / name)
        assert (head.orientation, head.alpha, head.colours) == (1, False, "grey" if name == "grey.png" else "rgb")
    assert not {problem.kind for problem in check(read_catalog(out))} & {*names.values()}


def test_only_one_of_identical_images_of_a_class_is_kept(root, tmp_path):
    for name, source in (
        ("good/twin.png", "good/1.png"),
        ("hole/twin.png", "good/2.png"),
        ("hole/a.png", "hole/3.png"),
    ):
        (root / name).write_bytes((root / source).read_bytes())
    write_mask(root / "masks/hole/a.png", MASK[::-1])
    changes = fixed(root, tmp_path / "out")
    assert changes == {("good/twin.png", "left out", "identical to good/1")}
    assert (tmp_path / "out/hole/twin.png").is_file(), "under two classes: nobody knows which is right"
    assert (tmp_path / "out/hole/a.png").is_file(), "with two masks: nobody knows which is right"


def test_an_image_with_an_empty_mask_is_kept(root, tmp_path):
    write_mask(root / "masks/hole/0.png", MASK & False)
    assert fixed(root, tmp_path / "out") == set()
    assert (tmp_path / "out/masks/hole/0.png").is_file()


def test_groups_name_only_what_was_kept(root, tmp_path):
    (root / "good/0.png").write_text("no image")
    write_text(root / "groups.csv", "file,line,group\ngood/0.png,7,one\ngood/1.png,7,one\nhole/0.png,8,two\n")
    assert ("groups.csv", "written anew", "only the images of the copy, columns file and group") in fixed(
        root, tmp_path / "out"
    )
    groups = {entry.id: entry.group for entry in read_catalog(tmp_path / "out")}
    assert (groups["good/1"], groups["hole/0"], groups["good/2"]) == ("one", "two", "good/2")


def test_a_link_inside_the_folder_becomes_a_file(root, tmp_path):
    write_image(root / "store/9.png", picture(909))
    (root / "good/9.png").symlink_to(root / "store/9.png")
    catalog = read_catalog(root)
    fix(catalog, check(catalog), tmp_path / "out")
    copy = tmp_path / "out/good/9.png"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (root / "store/9.png").read_bytes()


def test_a_name_that_is_no_utf8_is_spelt_out(root, tmp_path):
    try:
        (root / "hole/0.png").rename(root / "hole" / os.fsdecode(b"Ma\xdf.png"))
        (root / "masks/hole/0.png").rename(root / "masks/hole" / os.fsdecode(b"Ma\xdf.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    names = ("hole/Ma%DF.png", "masks/hole/Ma%DF.png")
    assert fixed(root, tmp_path / "out") == {(name, "renamed", "file_name") for name in names}
    entry = next(entry for entry in read_catalog(tmp_path / "out") if entry.id == "hole/Ma%DF")
    assert entry.masks[0].path.name == "Ma%DF.png"


@pytest.mark.parametrize("where", ["set/inside", "set", "full"])
def test_the_copy_never_goes_over_anything(root, tmp_path, where):
    write_text(tmp_path / "full/kept.txt", "mine")
    before = sha256_tree(tmp_path)
    with pytest.raises(DataError, match="choose"):
        fix(read_catalog(root), [], tmp_path / where)
    assert sha256_tree(tmp_path) == before


def test_an_empty_folder_is_taken_and_a_killed_copy_begun_afresh(root, tmp_path):
    (tmp_path / "out").mkdir()
    write_text(tmp_path / ".out.partial/left.txt", "from a killed process")
    assert fixed(root, tmp_path / "out") == set()
    assert {path.name for path in tmp_path.iterdir()} == {"set", "out"}
    assert not (tmp_path / "out/left.txt").exists()
