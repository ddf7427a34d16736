"""Each kind of finding, planted alone in a sound set: it is named, and nothing else is."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from flawsmith.core.files import write_text
from flawsmith.data.checks import FILE_CHECKS, SET_CHECKS, check, survey
from flawsmith.data.checks.kinds.probable_groups import proposed_groups
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.readers import read_catalog

SIZE = (64, 72)
MASK = np.zeros(SIZE, bool)
MASK[20:32, 24:40] = True
NEARLY_ALL = np.zeros(SIZE, bool)
NEARLY_ALL[:60, :70] = True


def plate(seed, defect=False):
    """A plate of its own unevenness, with a bright defect under MASK where wished."""
    rng = np.random.default_rng(seed)
    plane = ndimage.zoom(rng.normal(100, 14, (8, 9)), 8, order=1) + rng.normal(0, 1, SIZE)
    return np.clip(plane + 90 * (MASK & defect), 0, 255).astype(np.uint8)[..., None]


def save(path, array, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.squeeze(array)).save(path, **how)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    for label, first in (("good", 0), ("hole", 100), ("dent", 200)):
        for number in range(10):
            write_image(folder / label / f"{number:03}.png", plate(first + number, label != "good"))
            if label != "good":
                write_mask(folder / "masks" / label / f"{number:03}.png", MASK)
    return folder


def found(root):
    return {(each.kind, path.name) for each in check(read_catalog(root)) for path in (each.file, *each.others[:1])}


def bomb(path):
    """A PNG of some hundred bytes that claims 40,000 x 40,000 pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-200])


def with_exif(path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(path, plate(907), exif=exif)


def outside(path):
    target = path.parents[2] / "elsewhere.png"
    write_image(target, plate(900))
    path.symlink_to(target)


def soft(path):
    save(path, ndimage.gaussian_filter(MASK * 255.0, 2).astype(np.uint8))


def jpeg_of(array, quality):
    buffer = io.BytesIO()
    Image.fromarray(np.squeeze(array)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))[..., None]


def colours(mode):
    return Image.fromarray(np.repeat(plate(905), 3, axis=2)).convert(mode)


FAULTS = {
    ("unreadable", "good/003.png"): lambda path: path.write_text("no image"),
    ("unreadable", "masks/hole/003.png"): lambda path: path.write_bytes(b""),
    ("unreadable", "good/003.tif"): lambda path: tifffile.imwrite(path, plate(3)[..., 0].astype(np.float32)),
    ("truncated", "dent/003.png"): cut_off,
    ("truncated", "masks/dent/003.png"): lambda path: (save(path, plate(1)), cut_off(path)),
    ("too_large", "good/000.png"): bomb,
    ("too_large", "masks/hole/000.png"): bomb,
    ("link_outside", "good/link.png"): outside,
    ("broken_link", "good/loop.png"): lambda path: path.symlink_to(path),
    ("broken_link", "good/lost.png"): lambda path: path.symlink_to(path.parent / "nothing.png"),
    ("broken_link", "good/round"): lambda path: path.symlink_to(path.parents[1], target_is_directory=True),
    ("cmyk", "good/cmyk.jpg"): lambda path: colours("CMYK").save(path),
    ("palette", "good/003.png"): lambda path: colours("P").save(path),
    ("palette", "good/palette.tif"): lambda path: colours("P").save(path),
    ("alpha", "good/003.png"): lambda path: colours("RGBA").save(path),
    ("alpha", "good/grey.png"): lambda path: colours("LA").save(path),
    ("alpha", "good/alpha.tif"): lambda path: colours("RGBA").save(path),
    ("exif_rotation", "good/turned.jpg"): lambda path: with_exif(path, 6),
    ("exif_rotation", "good/mirrored.png"): lambda path: with_exif(path, 2),
    ("mask_size", "masks/hole/004.png"): lambda path: write_mask(path, MASK.T),
    ("empty_mask", "masks/hole/004.png"): lambda path: write_mask(path, MASK & False),
    ("full_mask", "masks/hole/004.png"): lambda path: write_mask(path, np.ones(SIZE, bool)),
    ("soft_mask", "masks/hole/004.png"): soft,
    ("shifted_mask", "masks/hole/004.png"): lambda path: write_mask(path, np.roll(MASK, (9, 12), (0, 1))),
    ("mask_on_good", "masks/good/004.png"): lambda path: write_mask(path, MASK),
    ("missing_mask", "hole/004.png"): lambda path: (path.parents[1] / "masks/hole/004.png").unlink(),
    ("brightness_outlier", "good/004.png"): lambda path: write_image(path, plate(4) // 3),
    ("size_outlier", "good/004.png"): lambda path: write_image(path, plate(4).repeat(3, 0).repeat(3, 1)),
    ("mask_outlier", "masks/hole/004.png"): lambda path: write_mask(path, NEARLY_ALL),
    ("identical_files", "good/twin.png"): lambda path: path.write_bytes(
        (path.parents[1] / "dent/001.png").read_bytes()
    ),
    ("near_duplicate", "good/near.png"): lambda path: write_image(path, jpeg_of(plate(201, True), 60)),
    ("near_duplicate", "good/brighter.png"): lambda path: write_image(path, plate(201, True) + np.uint8(9)),
    ("near_duplicate", "good/mirrored.png"): lambda path: write_image(path, jpeg_of(plate(201, True)[:, ::-1], 80)),
    ("near_duplicate", "good/turned.png"): lambda path: write_image(path, np.rot90(plate(201, True))),
}


def test_a_sound_set_has_no_problem(root):
    assert check(read_catalog(root)) == []


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_a_planted_fault_is_named(root, kind, name):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    FAULTS[kind, name](path)
    kinds = {kind, "probable_groups"} if kind in ("identical_files", "near_duplicate") else {kind}
    problems = found(root)
    assert (kind, path.name) in problems
    assert {each for each, _ in problems} == kinds


def test_every_kind_has_a_planted_fault():
    elsewhere = {"few_groups", "box_masks", "mixed_group", "probable_groups", "file_name", "faults"}
    assert {kind for kind, _ in FAULTS} >= {*FILE_CHECKS, *SET_CHECKS} - elsewhere


def test_every_kind_is_documented():
    text = (Path(__file__).parents[3] / "docs/check.md").read_text(encoding="utf-8")
    kinds = {*FILE_CHECKS, *SET_CHECKS, *(kind for kind, _ in FAULTS)} - {"faults"}
    assert {kind for kind in kinds if f"`{kind}`" not in text} == set()


def test_a_name_that_is_no_utf8_is_shown_in_valid_text(root):
    name = os.fsdecode(b"Ma\xdf.png")
    try:
        (root / "good/000.png").rename(root / "good" / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (problem,) = check(read_catalog(root))
    assert (problem.kind, problem.severity, problem.file.name) == ("file_name", "error", name)
    row = problem.to_json()
    assert "Ma%DF.png" in row["file"]
    assert (row["file"] + row["message"]).encode()


def test_nothing_outside_the_folder_is_opened(root):
    outside(root / "good/link.png")
    seen = survey(read_catalog(root))
    facts = next(facts for entry, facts in seen if entry.image.name == "link.png")
    assert facts.fault.kind == "link_outside"
    assert facts.head is None
    assert facts.thumbnail is None


def test_a_black_mask_of_a_good_image_is_no_problem(root):
    write_mask(root / "masks/good/004.png", MASK & False)
    assert check(read_catalog(root)) == []


def test_class_without_any_mask_misses_none(root):
    for path in (root / "masks/hole").iterdir():
        path.unlink()
    assert check(read_catalog(root)) == []


def burst(root):
    for number in range(3):
        write_image(root / f"good/burst_{number}.png", jpeg_of(plate(500), 60 + 10 * number))


def test_a_burst_is_proposed_as_a_group(root):
    burst(root)
    catalog = read_catalog(root)
    (problem,) = check(catalog)
    assert (problem.kind, problem.severity, problem.file) == ("probable_groups", "note", root)
    names = {f"good/burst_{number}" for number in range(3)}
    assert proposed_groups(survey(catalog)) == dict.fromkeys(names, "probable-001")


def test_given_groups_are_not_doubted_but_compared(root):
    burst(root)
    rows = "".join(f"good/burst_{number}.png,one\n" for number in range(3))
    write_text(root / "groups.csv", f"file,group\n{rows}")
    assert check(read_catalog(root)) == []
    write_text(root / "groups.csv", f"file,group\n{rows.replace('2.png,one', '2.png,two')}")
    (problem,) = check(read_catalog(root))
    assert problem.kind == "near_duplicate"
    assert "the groups one, two" in problem.message
    assert {path.name for path in (problem.file, *problem.others)} == {f"burst_{number}.png" for number in range(3)}


@pytest.mark.parametrize(("seconds", "groups"), [(1, 1), (50, 0)])
def test_the_time_of_the_shot_counts_where_pictures_are_akin(root, seconds, groups):
    """The second shot differs by a shade that alone would not do, and so do the names."""
    shade = np.linspace(0, 15, SIZE[1])
    for name, second, more in (("left", 0, 0.0), ("right", seconds, 1.0)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:06 07:08:{second:02}"
        array = np.clip(plate(500)[..., 0] + more * shade, 0, 255).astype(np.uint8)
        save(root / f"good/{name}.jpg", array, exif=exif, quality=90)
    seen = survey(read_catalog(root))
    (pair,) = seen.alike
    assert not pair.near
    assert len(set(proposed_groups(seen).values())) == groups


def test_declared_splits_are_compared(tmp_path):
    for split, label, first in (("train", "good", 0), ("test", "good", 50), ("test", "hole", 100)):
        for number in range(4):
            write_image(tmp_path / split / label / f"{number:03}.png", plate(first + number))
    assert check(read_catalog(tmp_path)) == []
    write_image(tmp_path / "test/good/copy.png", jpeg_of(plate(2), 70))
    near, groups = check(read_catalog(tmp_path))
    assert (near.kind, groups.kind) == ("near_duplicate", "probable_groups")
    assert "the splits test, train" in near.message
    assert {near.file.name, *(path.name for path in near.others)} == {"002.png", "copy.png"}


def test_facts_may_be_farmed_out(root):
    """The facts do not depend on what was looked at before, and travel between processes."""
    from concurrent.futures import ProcessPoolExecutor

    catalog = read_catalog(root)
    with ProcessPoolExecutor(1) as pool:
        farmed = survey(catalog, mapped=pool.map)
    here = survey(catalog)
    for one, other in zip(farmed.facts.values(), here.facts.values(), strict=True):
        assert (one.head, one.masks, one.brightness) == (other.head, other.masks, other.brightness)
        np.testing.assert_array_equal(one.thumbnail, other.thumbnail)


def test_the_checks_touch_no_file(root):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path(root).rglob("*")}
    check(read_catalog(root))
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path(root).rglob("*")} == before
