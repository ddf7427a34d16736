"""Files of strangers: claims that would take all memory or time, links, pipes, numbers and names beyond measure."""

import json
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from flawsmith.core.errors import DataError, FlawsmithError, ImageError
from flawsmith.core.files import write_text
from flawsmith.data.checks import check
from flawsmith.data.image_io import image_head, read_image, write_image
from flawsmith.data.natural import natural_key
from flawsmith.data.readers import detect, read_catalog
from layout_examples import EXAMPLES, numbers, photo, photos

GREY, DEFLATE = 1, 8
PIECE = zlib.compress(bytes(64))


def tiff(path, data=PIECE, loop=False, **tags):
    """Write a TIFF file of 8 x 8 grey pixels, but for the tags given by their number (`t256=…`)."""
    found = {256: 8, 257: 8, 258: 8, 259: DEFLATE, 262: GREY, 273: 8, 277: 1, 278: 8, 279: len(data)}
    found |= {int(name[1:]): value for name, value in tags.items()}
    if 322 in found:
        found |= {324: found.pop(273), 325: found.pop(279)}
        del found[278]
    start = 8 + len(data)
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, found[tag]) for tag in sorted(found))
    after = start if loop else 0
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, start) + data + struct.pack("<H", len(found)) + rows + struct.pack("<I", after)
    )
    return path


def peak_mb(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def outcome(work, *arguments):
    """What a call gives, or the words of the error of our own tree that it raises."""
    try:
        return work(*arguments)
    except FlawsmithError as error:
        return str(error)


def refused(path):
    with pytest.raises(ImageError, match=path.name):
        read_image(path)
    head = outcome(image_head, path)
    assert not isinstance(head, str) or path.name in head


def test_the_crafted_tiff_is_sound_before_it_is_made_wicked(tmp_path):
    assert read_image(tiff(tmp_path / "a.tif")).shape == (8, 8, 1)
    assert read_image(tiff(tmp_path / "b.tif", zlib.compress(bytes(256)), t322=16, t323=16)).shape == (8, 8, 1)


BOMB = zlib.compress(bytes(3 * 10**8), 9)


@pytest.mark.parametrize(
    "tags",
    [
        {"t256": 20_000, "t257": 20_000, "t277": 60_000},
        {"t256": 20_000, "t257": 20_000, "t277": 60_000, "t284": 2},
        {"t256": 2**32 - 1, "t257": 2**32 - 1},
        {"t32997": 2**31},
        {"t322": 2**31, "t323": 2**31},
        {"t322": 2**16, "t323": 2**15},
        {"t258": 64},
    ],
)
def test_tiff_claims_beyond_all_measure(tags, tmp_path):
    path = tiff(tmp_path / "a.tif", **tags)
    assert peak_mb(lambda: refused(path)) < 20


def test_a_tiff_whose_few_pixels_unpack_to_very_many(tmp_path):
    path = tiff(tmp_path / "a.tif", BOMB)
    assert peak_mb(lambda: outcome(read_image, path)) < 20


def test_a_tiff_whose_pages_go_round_in_a_circle(tmp_path):
    found = outcome(read_image, tiff(tmp_path / "a.tif", loop=True))
    assert "a.tif" in found if isinstance(found, str) else found.shape == (8, 8, 1)


def test_a_png_whose_few_pixels_unpack_to_very_many(tmp_path):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    for depth in (8, 16):
        path = tmp_path / f"{depth}.png"
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, 0, 0, 0, 0))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", BOMB) + chunk(b"IEND", b""))
        assert peak_mb(lambda path=path: read_image(path)) < 20


@pytest.fixture
def root(tmp_path):
    return tmp_path / "set"


@pytest.mark.parametrize("layout", EXAMPLES)
def test_what_a_link_shows_outside_is_never_read(layout, root, tmp_path):
    EXAMPLES[layout](root)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        secret = path.rename(tmp_path / f"secret {number}{path.suffix}")
        path.symlink_to(secret)
        for name in (layout, None):
            found = outcome(lambda name=name: check(read_catalog(root, name)))
            if isinstance(found, str):
                assert str(path.relative_to(root)) in found
            else:
                assert [each.file for each in found if each.kind == "link_outside"] == [path]
        path.unlink()
        secret.rename(path)


def test_a_folder_that_is_a_link_out_is_named(root, tmp_path):
    EXAMPLES["folder"](root)
    (root / "good").rename(tmp_path / "elsewhere")
    (root / "good").symlink_to(tmp_path / "elsewhere")
    for reading in (lambda: detect(root), lambda: read_catalog(root, "folder")):
        with pytest.raises(DataError, match=r"good is a symbolic link that leads out"):
            reading()


def test_a_folder_that_is_a_link_inside_is_followed(root):
    EXAMPLES["folder"](root)
    (root / "scratch").rename(root / ".kept")
    (root / "scratch").symlink_to(root / ".kept")
    assert len(read_catalog(root)) == 2


def test_a_data_set_given_by_a_link_is_read(root, tmp_path):
    EXAMPLES["folder"](root)
    (tmp_path / "link").symlink_to(root)
    assert check(read_catalog(tmp_path / "link")) == check(read_catalog(tmp_path / "link"))
    assert len(read_catalog(tmp_path / "link")) == 2


def test_a_secret_with_the_name_of_a_picture_is_no_list_of_images(root, tmp_path):
    EXAMPLES["yolo"](root)
    write_text(tmp_path / "secret.txt", "password\n")
    (root / "list.png").symlink_to(tmp_path / "secret.txt")
    write_text(root / "data.yaml", "train: list.png\nnames: [scratch]\n")
    with pytest.raises(DataError, match=r"list\.png is a symbolic link that leads out") as caught:
        read_catalog(root, "yolo")
    assert "password" not in str(caught.value)


def test_a_link_that_leads_nowhere_is_left_to_the_checks(root, tmp_path):
    EXAMPLES["folder"](root)
    (root / "notes.txt").symlink_to(tmp_path / "nothing.txt")
    assert "broken_link" in {problem.kind for problem in check(read_catalog(root))}


def test_a_pipe_is_no_list_of_images(root):
    EXAMPLES["yolo"](root)
    os.mkfifo(root / "pipe")
    write_text(root / "data.yaml", "train: pipe\nnames: [scratch]\n")
    with pytest.raises(DataError, match="pipe"):
        read_catalog(root, "yolo")


def test_yaml_that_would_grow_without_end(root):
    EXAMPLES["yolo"](root)
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    write_text(root / "data.yaml", "\n".join([*lines, "train: images/train", "names: [scratch]"]))
    with pytest.raises(DataError, match="anchors and aliases"):
        read_catalog(root, "yolo")


LONG = "9" * 4000
NUMBERS = [LONG, "9" * 5000, "1" + "0" * 4299, f"-{LONG}", "1e999", "-1e999", "0.5e5000", "0x" + "f" * 9000]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_beyond_measure_in_coco(number, root):
    EXAMPLES["coco"](root)
    file = root / "annotations/all.json"
    text = file.read_text()
    places = ['"height": 10', '"bbox": [\n    4', '"category_id": 5', '"id": 5']
    for place in places:
        key, _, value = place.rpartition(" ")
        assert value in text
        write_text(file, text.replace(place, f"{key} {number}"))
        with pytest.raises(DataError) if place in text and "bbox" not in place else _any():
            read_catalog(root, "coco")
    data = json.loads(text)
    runs = {"size": [10, 12], "counts": [120]}
    for place, new in (("[10, 12]", f"[{number}, {number}]"), ("[120]", f"[{number}, {number}, {number}]")):
        data["annotations"][0]["segmentation"] = runs
        write_text(file, json.dumps(data).replace(place, new))
        with pytest.raises(DataError, match=r"all\.json"):
            read_catalog(root, "coco")


class _any:
    """Nothing, or an error of our own tree."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return kind is None or issubclass(kind, FlawsmithError)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_beyond_measure_in_other_files(number, root, tmp_path):
    texts = {
        "voc": ("Annotations/1.xml", ["<xmin>5<", "<ymax>6<"], "{0}{1}<"),
        "yolo": ("data.yaml", ["names: [scratch]", "train: images/train"], "names: {1}"),
        "rle_csv": ("train.csv", [",28 3", ",40 3"], ",{1} {1}"),
        "class_index": ("classes.txt", ["dent"], "{1} dent"),
        "class_colour": ("colours.csv", ["200"], "{1}"),
    }
    for layout, (name, places, new) in texts.items():
        folder = tmp_path / layout
        EXAMPLES[layout](folder)
        text = (folder / name).read_text()
        for place in places:
            write_text(folder / name, text.replace(place, new.format(place.rpartition(">")[0], number)))
            with _any():
                check(read_catalog(folder, layout))


def test_deep_json_xml_and_yaml(root, tmp_path):
    for layout, name, text in [
        (
            "coco",
            "annotations/all.json",
            '{"images": ' + "[" * 10**5 + "]" * 10**5 + ', "annotations": [], "categories": []}',
        ),
        ("class_index", "classes.json", "[" * 10**5 + "]" * 10**5),
        ("voc", "Annotations/1.xml", "<annotation>" + "<object>" * 10**5 + "</object>" * 10**5 + "</annotation>"),
        ("yolo", "data.yaml", "names: " + "[" * 10**5 + "]" * 10**5),
    ]:
        folder = tmp_path / layout
        EXAMPLES[layout](folder)
        (folder / "classes.txt").unlink(missing_ok=True)
        write_text(folder / name, text)
        with pytest.raises(DataError, match=name.rpartition("/")[2]):
            read_catalog(folder, layout)


def test_groups_named_by_numbers_of_many_digits_are_sorted(root):
    photos(root, *(f"{label}/{number}.png" for label in ("good", "hole") for number in range(3)))
    rows = [f"good/{number}.png,{LONG * 2}{number}" for number in range(3)]
    write_text(root / "groups.csv", "\n".join(["file,group", *rows]))
    assert len({natural_key(entry.group)[1] for entry in read_catalog(root)}) == 6
    assert natural_key("a" + "9" * 5000) < natural_key("a1" + "0" * 5000)
    assert sorted(["a01", "a1", "a9", "a010", "a10"], key=natural_key) == ["a01", "a1", "a9", "a010", "a10"]


def test_names_that_are_no_utf8_are_told_in_every_layout(root, tmp_path):
    for layout in ("folder", "pairs", "mvtec", "coco", "rle_csv", "class_index"):
        folder = tmp_path / layout
        EXAMPLES[layout](folder)
        image = read_catalog(folder, layout).entries[0].image
        try:
            photo(image.with_name(os.fsdecode(b"Ma\xdf") + image.suffix))
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        with _any():
            kinds = {each.kind for each in check(read_catalog(folder, layout))}
            assert "file_name" in kinds or layout == "coco"


def test_a_mask_in_numbers_behind_a_link_is_not_opened(root, tmp_path):
    EXAMPLES["class_index"](root)
    (root / "masks/1.png").unlink()
    numbers(tmp_path / "secret.png", 2)
    (root / "masks/1.png").symlink_to(tmp_path / "secret.png")
    for layout in ("class_index", None):
        with pytest.raises(DataError, match=r"masks/1\.png is a symbolic link that leads out"):
            read_catalog(root, layout)


def test_a_large_flat_picture_within_the_limit_is_read(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((2000, 1000, 1), np.uint8))
    assert peak_mb(lambda: read_image(tmp_path / "a.png")) < 20
