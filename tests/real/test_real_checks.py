"""Faults planted among real photographs: each is named. What the untouched sets show is in test_real_data.py."""

import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from flawsmith.core.records import GOOD
from flawsmith.data.checks import check
from flawsmith.data.readers import read_catalog

pytestmark = pytest.mark.real

FLIP, TURN, HALF_TURN = Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180


def part_of(root, target, **counts):
    """Copy some images of each class, of one group each, with their masks, to where they lie in the set."""
    catalog = read_catalog(root)
    for label, count in counts.items():
        firsts = {entry.group: entry for entry in reversed(catalog.labelled(label).entries)}
        for entry in list(firsts.values())[::-1][:count]:
            for path in (entry.image, *(mask.path for mask in entry.masks)):
                copy = target / path.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


def found(root):
    problems = check(read_catalog(root))
    return {
        (problem.kind, os.fsencode(path.relative_to(root)))
        for problem in problems
        for path in (problem.file, *problem.others)
    }


def cut_off(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b""))


def anew(source, target, change, **how):
    with Image.open(source) as image:
        changed = change(image)
    changed.save(target, **how)


def redraw(path, change):
    with Image.open(path) as image:
        array = np.asarray(image.convert("L"))
    Image.fromarray(change(array)).save(path)


def turned_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def soften(array):
    return np.asarray(Image.fromarray(array).resize((32, 32)).resize(array.shape[::-1], Image.Resampling.BILINEAR))


def plant_in_tiles(root):
    good, holes, cracks = (root / f"MT_{name}/Imgs" for name in ("Free", "Blowhole", "Crack"))
    moved = [holes / "exp1_num_4727.png", holes / "exp1_num_36290.png", cracks / "exp1_num_249594.png"]
    free, hole, crack = (
        sorted(path for path in folder.glob("*.jpg") if path.with_suffix(".png") not in moved)
        for folder in (good, holes, cracks)
    )
    cut_off(free[0])
    cut_off(hole[0])
    free[1].write_text("this is no photograph")
    free[2].write_bytes(b"")
    bomb(free[3])
    redraw(hole[2].with_suffix(".png"), lambda mask: mask[:-1])
    redraw(hole[3].with_suffix(".png"), lambda mask: mask * 0)
    redraw(hole[4].with_suffix(".png"), lambda mask: mask * 0 + 255)
    hole[9].with_suffix(".png").write_text("no mask")
    for path in moved:
        redraw(path, lambda mask: np.roll(mask, (8, 12), (0, 1)))
    crack[0].with_suffix(".png").unlink()
    Image.fromarray(np.full(Image.open(free[4]).size[::-1], 255, np.uint8)).save(free[4].with_suffix(".png"))
    anew(free[5], free[5], lambda image: image.copy(), exif=turned_exif(6))
    anew(crack[1], crack[1], lambda image: image.copy(), exif=turned_exif(3), quality=95)
    anew(free[6], free[6], lambda image: image.convert("CMYK"))
    shutil.copyfile(free[7], root.parent / "elsewhere.jpg")
    (good / "outside.jpg").symlink_to(root.parent / "elsewhere.jpg")
    (good / "loop.jpg").symlink_to(good / "loop.jpg")
    (good / "lost.jpg").symlink_to(good / "nothing.jpg")
    (good / "round").symlink_to(root, target_is_directory=True)
    shutil.copyfile(free[8], good / os.fsdecode(b"Ma\xdf.jpg"))
    shutil.copyfile(crack[5], good / "twin.jpg")
    shutil.copyfile(free[9], good / "again.jpg")
    anew(crack[6], good / "near.jpg", lambda image: image.copy(), quality=60)
    anew(crack[7], good / "mirrored.jpg", lambda image: image.transpose(FLIP))
    anew(crack[8], good / "turned.jpg", lambda image: image.transpose(TURN))
    anew(hole[10], good / "brighter.jpg", lambda image: image.point(lambda level: min(255, level + 12)))
    anew(free[10], good / "burst_2.jpg", lambda image: image.resize((image.width // 2, image.height // 2)))
    return {
        ("truncated", free[0]), ("truncated", hole[0]), ("unreadable", free[1]), ("unreadable", free[2]),
        ("too_large", free[3]), ("mask_size", hole[2].with_suffix(".png")),
        ("empty_mask", hole[3].with_suffix(".png")), ("full_mask", hole[4].with_suffix(".png")),
        ("unreadable", hole[9].with_suffix(".png")), *(("shifted_mask", path) for path in moved),
        ("missing_mask", crack[0]), ("mask_on_good", free[4].with_suffix(".png")), ("exif_rotation", free[5]),
        ("exif_rotation", crack[1]), ("cmyk", free[6]), ("link_outside", good / "outside.jpg"),
        ("broken_link", good / "loop.jpg"), ("broken_link", good / "lost.jpg"), ("broken_link", good / "round"),
        ("file_name", good / os.fsdecode(b"Ma\xdf.jpg")), ("identical_files", good / "twin.jpg"),
        ("identical_files", good / "again.jpg"), ("near_duplicate", good / "near.jpg"),
        ("near_duplicate", good / "mirrored.jpg"), ("near_duplicate", good / "turned.jpg"),
        ("near_duplicate", good / "brighter.jpg"), ("probable_groups", good / "burst_2.jpg"),
    }  # fmt: skip


def plant_in_bottles(root):
    learn, good = root / "train/good", root / "test/good"
    broken, dirty = root / "test/broken_large", root / "test/contamination"
    truth = root / "ground_truth"
    train, tested = sorted(learn.glob("*.png")), sorted(good.glob("*.png"))
    cut_off(train[0])
    cut_off(dirty / "000.png")
    train[1].write_bytes(train[1].read_bytes()[:20])
    bomb(train[2])
    anew(train[3], train[3], lambda image: image.convert("P"))
    anew(tested[0], tested[0], lambda image: image.convert("RGBA"))
    anew(train[4], train[4], lambda image: image.convert("LA"))
    anew(train[5], train[5], lambda image: image.copy(), exif=turned_exif(8))
    anew(train[6], learn / "print.jpg", lambda image: image.transpose(HALF_TURN).convert("CMYK"))
    anew(train[7], learn / "float.tif", lambda image: image.convert("F"))
    anew(train[8], train[8], lambda image: image.point(lambda level: level // 3))
    anew(train[9], train[9], lambda image: image.point(lambda level: min(255, level * 2 + 60)))
    anew(train[10], train[10], lambda image: image.resize((120, 120)))
    anew(train[11], train[11], lambda image: image.resize((800, 800)))
    redraw(truth / "broken_large/001_mask.png", lambda mask: mask[:, :-4])
    redraw(truth / "broken_large/002_mask.png", lambda mask: mask * 0)
    redraw(truth / "broken_large/003_mask.png", lambda mask: 255 - mask // 255 * (np.arange(320) < 10).astype(np.uint8))
    redraw(truth / "broken_large/004_mask.png", lambda mask: mask // 255)
    redraw(truth / "contamination/004_mask.png", soften)
    (truth / "broken_large/005_mask.png").write_text("no mask")
    cut_off(truth / "broken_large/006_mask.png")
    (truth / "contamination/001_mask.png").unlink()
    (truth / "good").mkdir()
    shutil.copyfile(truth / "contamination/002_mask.png", truth / f"good/{tested[1].stem}_mask.png")
    shutil.copyfile(train[12], good / "twin.png")
    shutil.copyfile(dirty / "003.png", learn / "dirty.png")
    anew(train[13], good / "near.jpg", lambda image: image.copy(), quality=70)
    anew(train[14], good / "mirrored.png", lambda image: image.transpose(FLIP))
    anew(train[15], good / "turned.png", lambda image: image.transpose(TURN))
    anew(broken / "007.png", learn / "half.png", lambda image: image.resize((160, 160)).resize((320, 320)))
    anew(train[16], learn / "shot_2.png", lambda image: image.resize((300, 300)))
    (good / "lost.png").symlink_to(good / "nothing.png")
    shutil.copyfile(train[17], root.parent / "elsewhere.png")
    (good / "outside.png").symlink_to(root.parent / "elsewhere.png")
    shutil.copyfile(train[18], learn / os.fsdecode(b"\xfc.png"))
    return {
        ("truncated", train[0]), ("truncated", dirty / "000.png"), ("unreadable", train[1]), ("too_large", train[2]),
        ("palette", train[3]), ("alpha", tested[0]), ("alpha", train[4]), ("exif_rotation", train[5]),
        ("cmyk", learn / "print.jpg"), ("unreadable", learn / "float.tif"), ("brightness_outlier", train[8]),
        ("brightness_outlier", train[9]), ("size_outlier", train[10]), ("size_outlier", train[11]),
        ("mask_size", truth / "broken_large/001_mask.png"), ("empty_mask", truth / "broken_large/002_mask.png"),
        ("full_mask", truth / "broken_large/003_mask.png"), ("empty_mask", truth / "broken_large/004_mask.png"),
        ("soft_mask", truth / "contamination/004_mask.png"), ("unreadable", truth / "broken_large/005_mask.png"),
        ("truncated", truth / "broken_large/006_mask.png"), ("missing_mask", dirty / "001.png"),
        ("mask_on_good", truth / "good" / f"{tested[1].stem}_mask.png"), ("identical_files", good / "twin.png"),
        ("identical_files", learn / "dirty.png"), ("near_duplicate", good / "near.jpg"),
        ("near_duplicate", good / "mirrored.png"), ("near_duplicate", good / "turned.png"),
        ("near_duplicate", learn / "half.png"), ("probable_groups", learn / "shot_2.png"),
        ("broken_link", good / "lost.png"), ("link_outside", good / "outside.png"),
        ("file_name", learn / os.fsdecode(b"\xfc.png")),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "counts", "plant", "least"),
    [
        ("magnetic_tile", {GOOD: 12, "Blowhole": 13, "Crack": 10}, plant_in_tiles, 25),
        ("mvtec_bottle", {GOOD: 300, "broken_large": 10, "contamination": 8}, plant_in_bottles, 30),
    ],
)
def test_planted_faults_are_all_named(real_data, tmp_path, name, counts, plant, least):
    """Together more than 40 faults, most kinds more than once."""
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in {real_data}")
    root = tmp_path / name
    part_of(real_data / name, root, **counts)
    for path in sorted(root.glob("train/good/*"))[24:]:
        path.unlink()
    planted = {(kind, os.fsencode(path.relative_to(root))) for kind, path in plant(root)}
    assert len(planted) >= least
    assert planted - found(root) == set()
